// The arguments of one statement, encoded at once into the bytes that Bind sends.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/values/codec.hpp>
#include <switchyard/values/members.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <tuple>
#include <type_traits>
#include <vector>

namespace switchyard::inline v0 {

namespace values {

/// How an argument is looked at: string literals as C strings, everything else as it is.
template <class T>
struct ArgumentType {
  using type = T;
};
template <std::size_t kSize>
struct ArgumentType<char[kSize]> {
  using type = const char*;
};
template <>
struct ArgumentType<char*> {
  using type = const char*;
};
template <class T>
using Argument = typename ArgumentType<std::remove_cvref_t<T>>::type;

template <class T>
inline constexpr bool is_null_literal = std::is_same_v<T, std::nullptr_t> || std::is_same_v<T, std::nullopt_t>;

/// The type an argument is sent under.
template <class T>
[[nodiscard]] consteval Oid argument_oid() {
  if constexpr (is_null_literal<T>) {
    return oids::unspecified;
  } else {
    static_assert(!std::is_unsigned_v<T> || sizeof(T) == 4 || std::is_same_v<T, bool> || std::is_same_v<T, char>,
                  "PostgreSQL has no unsigned integers (but oid): convert the argument to std::int64_t");
    static_assert(!std::is_enum_v<T> || HasEnumLabels<T> || HasValueTrait<T> || Encodable<T>,
                  "an enum argument needs its labels: specialise switchyard::EnumLabels");
    static_assert(Encodable<T>, "no Codec encodes an argument of this type: see switchyard/values/codec.hpp");
    return Codec<T>::oid;
  }
}

}  // namespace values

/// Encoded arguments: their types for Parse, and the parameter section of Bind. Keeps its memory when reused.
///
/// Strings and everything made of strings are sent as text of unspecified type; the rest in binary under its own
/// type (codec.hpp). nullptr and std::nullopt are NULL of unspecified type, an empty std::optional<T> NULL of T's
/// type.
class SWITCHYARD_API Parameters {
 public:
  Parameters() noexcept = default;
  Parameters(Parameters&&) noexcept = default;
  Parameters& operator=(Parameters&&) noexcept = default;
  Parameters(const Parameters&) = delete;
  Parameters& operator=(const Parameters&) = delete;

  /// Replaces the content. Fails with Usage, naming the parameter ("$3"), if a value can't be sent: text with a
  /// zero byte, more than 1 GB, out of PostgreSQL's range; more than 65535 parameters do not compile.
  template <class... Args>
  Result<void> encode(const Args&... args) {
    static_assert(sizeof...(Args) <= kMaxParameters, "a statement has at most 65535 parameters");
    static constexpr std::array<Oid, sizeof...(Args)> kTypes{values::argument_oid<values::Argument<Args>>()...};
    static constexpr std::array<std::int16_t, sizeof...(Args)> kFormats{
        (values::argument_oid<values::Argument<Args>>() == oids::unspecified ? kText : kBinary)...};
    begin(kTypes, kFormats);
    (append<values::Argument<Args>>(args), ...);
    return finish();
  }

  /// The elements of a tuple or pair, the members of a plain struct in order, or one value.
  template <class T>
  Result<void> encode_row(const T& row) {
    if constexpr (requires { std::tuple_size<T>::value; }) {
      return std::apply([this](const auto&... elements) { return this->encode(elements...); }, row);
    } else if constexpr (requires { Codec<T>::is_composite; }) {
      return std::apply([this](const auto*... members) { return this->encode(*members...); },
                        values::member_pointers<values::member_count<T>()>(row));
    } else {
      return encode(row);
    }
  }

  /// Arguments that come as text from somewhere else (a command line, HTTP): all of unspecified type; nullopt is
  /// NULL.
  Result<void> encode_texts(std::span<const std::optional<std::string_view>> texts);

  /// Arguments that were encoded before and kept: what types(), formats() and value_bytes() gave. Fails with Usage
  /// if the three do not belong together; then nothing is held.
  Result<void> restore(std::span<const Oid> types, std::span<const std::int16_t> formats, ByteView values);

  void clear() noexcept;

  /// How many.
  [[nodiscard]] std::size_t size() const noexcept { return types_.size(); }
  /// For Parse; 0 where the server infers the type.
  [[nodiscard]] std::span<const Oid> types() const noexcept { return types_; }
  /// 0 text, 1 binary; one for each.
  [[nodiscard]] std::span<const std::int16_t> formats() const noexcept { return formats_; }
  /// The part of a Bind message from the number of parameter formats to the last value.
  [[nodiscard]] ByteView bind_section() const noexcept {
    constexpr std::string_view kNoParameters("\0\0\0\0", 4);
    return bytes_.empty() ? kNoParameters : bytes_.view();
  }
  /// The values alone: for each its int32 length (-1 is NULL) and its bytes.
  [[nodiscard]] ByteView value_bytes() const noexcept {
    if (bytes_.empty()) return {};
    const ByteView section = bytes_.view();
    const std::size_t sent_formats = base::load_be<std::uint16_t>(section.data());  // one may stand for all
    return section.substr(4 + 2 * sent_formats);
  }
  /// Bytes kept for reuse.
  [[nodiscard]] std::size_t capacity() const noexcept { return bytes_.capacity(); }
  /// Gives memory above `keep` bytes back.
  void shrink(std::size_t keep) noexcept;

 private:
  static constexpr std::int16_t kText = 0;
  static constexpr std::int16_t kBinary = 1;

  /// Both spans must outlive this object or its next use.
  void begin(std::span<const Oid> types, std::span<const std::int16_t> formats) noexcept;
  Result<void> finish();
  /// The length of the value that was begun at `mark`, or what is wrong with it.
  void close(std::size_t mark, EncodeStatus status) noexcept;
  void append_null() noexcept;

  template <class T>
  void append(const T& value) {
    if constexpr (values::is_null_literal<T>) {
      append_null();
    } else if constexpr (values::is_optional<T>) {
      if (value) {
        append<typename T::value_type>(*value);
      } else {
        append_null();
      }
    } else {
      if constexpr (std::is_pointer_v<T>) {
        if (value == nullptr) return append_null();
      }
      const std::size_t mark = bytes_.mark();
      bytes_.put_i32(0);
      close(mark, Codec<T>::encode(bytes_, value));
    }
  }

  base::WriteBuffer bytes_;
  std::span<const Oid> types_;
  std::span<const std::int16_t> formats_;
  std::vector<Oid> own_types_;
  std::vector<std::int16_t> own_formats_;
  std::size_t appended_ = 0;
  std::size_t failed_at_ = 0;  // number of the first parameter that failed, counted from 1; 0 if none
  EncodeStatus failure_ = EncodeStatus::ok;
};

}  // namespace switchyard::inline v0
