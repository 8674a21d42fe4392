// A value behind its int32 length, as Bind, COPY and arrays carry it.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/base/bytes.hpp>
#include <switchyard/values/codec.hpp>

#include <bit>
#include <cstdint>
#include <type_traits>

namespace switchyard::inline v0::values {

/// int2/4/8 and float4/8: the width never changes, and the bytes are the number's in network order.
template <class T>
inline constexpr bool is_fixed_number =
    (std::is_integral_v<T> && std::is_signed_v<T> && sizeof(T) >= 2 && !std::is_same_v<T, wchar_t>) ||
    std::is_same_v<T, float> || std::is_same_v<T, double>;

/// The unsigned integer of the same width.
template <class T>
using BitsOf = std::conditional_t<sizeof(T) == 2, std::uint16_t,
                                  std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>;

/// Appends the value; it is not NULL. After a failure the length is there and part of the value may be.
template <class T>
EncodeStatus encode_counted(base::WriteBuffer& out, const T& value) {
  if constexpr (is_fixed_number<T>) {
    if (char* at = out.append(4 + sizeof(T))) {
      base::store_be(at, static_cast<std::int32_t>(sizeof(T)));
      base::store_be(at + 4, std::bit_cast<BitsOf<T>>(value));
    }
    return EncodeStatus::ok;
  } else {
    const std::size_t mark = out.mark();
    out.put_i32(0);
    const EncodeStatus status = Codec<T>::encode(out, value);
    out.patch_i32(mark, static_cast<std::int32_t>(out.mark() - mark - 4));
    return status;
  }
}

}  // namespace switchyard::inline v0::values
