// The values room: C++ values to PostgreSQL's types and back, parameters to Bind, rows to structs.
//
// It promises: binary both ways; only lossless conversions; a type that does not fit is found when the result is
// described, before the first row; every length is checked; nothing here throws except for memory (and the get<T>()
// of an untyped Row). It does no I/O.
//
// Codec<T> is how one C++ type travels. The library has it for integers, floats, bool, text, Bytes, Numeric, Uuid,
// dates and times, std::chrono, Json, Inet, Lsn, std::optional, std::vector and Array, Range and Multirange, and
// for structs as composites. User types have three ways in, the smallest first:
//
//   // 1. An enum: list its labels.
//   template <> struct switchyard::EnumLabels<Mood> {
//     static constexpr std::pair<Mood, std::string_view> labels[] = {{Mood::sad, "sad"}, {Mood::ok, "ok"}};
//   };
//   // 2. A type that is another value in disguise (ids, units).
//   template <> struct switchyard::ValueTrait<OrderId> {
//     using Value = std::int64_t;
//     static Value to_value(const OrderId& id) { return id.number; }
//     static OrderId from_value(Value number) { return OrderId{number}; }
//   };
//   // 3. A full codec: specialise Codec<T> with the members that `Encodable` and `Decodable` below ask for.
//
// A parameter whose codec has `oid == 0` is sent as text with its type unspecified, so that the server infers it
// from the statement, as with libpq: strings, Json, enums, composites and arrays of those fit any column. All other
// parameters are sent in binary under their own type.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/base/bytes.hpp>
#include <switchyard/values/oids.hpp>
#include <switchyard/values/status.hpp>
#include <switchyard/values/type_info.hpp>

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace switchyard::inline v0 {

/// How T travels; undefined for types that don't.
template <class T>
struct Codec;

/// T can be a parameter:
///   oid      its type; 0: sent as text of unspecified type
///   encode   appends the payload (binary under `oid`, else text)
template <class T>
concept Encodable = requires(base::WriteBuffer& out, const T& value) {
  { Codec<T>::oid } -> std::convertible_to<Oid>;
  { Codec<T>::array_oid } -> std::convertible_to<Oid>;
  { Codec<T>::encode(out, value) } -> std::same_as<EncodeStatus>;
};

/// T can be read from a column:
///   accepts      whether every value of the column's type fits
///   decode       reads the binary format
///   decode_text  reads the text format
/// A failed decode may leave the value changed. Only std::bad_alloc may be thrown.
template <class T>
concept Decodable = requires(ByteView bytes, Oid type, T& value) {
  { Codec<T>::accepts(type) } -> std::convertible_to<bool>;
  { Codec<T>::decode(bytes, type, value) } -> std::same_as<DecodeStatus>;
  { Codec<T>::decode_text(bytes, type, value) } -> std::same_as<DecodeStatus>;
};

/// A type that travels as another one: see the example above.
template <class T>
struct ValueTrait;

/// The labels of an enum: see the example above.
template <class T>
struct EnumLabels;

namespace values {

template <class T>
concept HasValueTrait = requires { typename ValueTrait<T>::Value; };

template <class T>
concept HasEnumLabels = std::is_enum_v<T> && requires { EnumLabels<T>::labels; };

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

/// The C++ name of a type as its programmer would write it, for messages.
template <class T>
[[nodiscard]] std::string cpp_name() {
  if constexpr (requires { Codec<T>::cpp_name(); }) {
    return std::string(Codec<T>::cpp_name());
  } else {
    constexpr std::string_view kFunction = __PRETTY_FUNCTION__;
    constexpr std::size_t kBegin = kFunction.find("T = ") + 4;
    constexpr std::size_t kEnd = kFunction.find_first_of(";]", kBegin);
    std::string name(kFunction.substr(kBegin, kEnd - kBegin));
    for (std::string_view noise : {std::string_view("(anonymous namespace)::"), std::string_view("{anonymous}::"),
                                   std::string_view("<unnamed>::"), std::string_view("v0::")}) {
      for (std::size_t at = name.find(noise); at != std::string::npos; at = name.find(noise)) {
        name.erase(at, noise.size());
      }
    }
    return name;
  }
}

/// The C++ type to read a column of this type into, for messages; empty if none is known.
[[nodiscard]] SWITCHYARD_API std::string_view cpp_type_for(Oid type) noexcept;

/// Reads one field, NULL included; `size` is -1 for NULL. What a row mapper's table points at.
using FieldDecoder = DecodeStatus (*)(const char* data, std::int32_t size, Oid type, void* value);

template <class T>
DecodeStatus decode_field(const char* data, std::int32_t size, Oid type, void* to) {
  T& value = *static_cast<T*>(to);
  if constexpr (is_optional<T>) {
    if (size < 0) {
      value.reset();
      return DecodeStatus::ok;
    }
    if (!value) value.emplace();
    return Codec<typename T::value_type>::decode(ByteView(data, static_cast<std::size_t>(size)), type, *value);
  } else {
    if (size < 0) [[unlikely]]
      return DecodeStatus::null_value;
    return Codec<T>::decode(ByteView(data, static_cast<std::size_t>(size)), type, value);
  }
}

template <class T>
DecodeStatus decode_text_field(const char* data, std::int32_t size, Oid type, void* to) {
  T& value = *static_cast<T*>(to);
  if constexpr (is_optional<T>) {
    if (size < 0) {
      value.reset();
      return DecodeStatus::ok;
    }
    if (!value) value.emplace();
    return Codec<typename T::value_type>::decode_text(ByteView(data, static_cast<std::size_t>(size)), type, *value);
  } else {
    if (size < 0) return DecodeStatus::null_value;
    return Codec<T>::decode_text(ByteView(data, static_cast<std::size_t>(size)), type, value);
  }
}

}  // namespace values

/// NULL is the empty optional; otherwise as T. (Rows and arrays handle NULL before they get here.)
template <class T>
struct Codec<std::optional<T>> {
  static_assert(!values::is_optional<T>, "std::optional of std::optional: NULL has one level only");
  static constexpr Oid oid = Codec<T>::oid;
  static constexpr Oid array_oid = Codec<T>::array_oid;
  static std::string cpp_name() { return "std::optional<" + values::cpp_name<T>() + ">"; }
  static bool accepts(Oid type) noexcept { return Codec<T>::accepts(type); }
  static EncodeStatus encode(base::WriteBuffer& out, const std::optional<T>& value) {
    return value ? Codec<T>::encode(out, *value) : EncodeStatus::ok;
  }
  static DecodeStatus decode(ByteView bytes, Oid type, std::optional<T>& value) {
    if (!value) value.emplace();
    return Codec<T>::decode(bytes, type, *value);
  }
  static DecodeStatus decode_text(ByteView text, Oid type, std::optional<T>& value) {
    if (!value) value.emplace();
    return Codec<T>::decode_text(text, type, *value);
  }
};

/// A type with a ValueTrait travels as its value.
template <class T>
  requires values::HasValueTrait<T>
struct Codec<T> {
  using Value = typename ValueTrait<T>::Value;
  static constexpr Oid oid = Codec<Value>::oid;
  static constexpr Oid array_oid = Codec<Value>::array_oid;
  static bool accepts(Oid type) noexcept { return Codec<Value>::accepts(type); }
  static EncodeStatus encode(base::WriteBuffer& out, const T& value) {
    return Codec<Value>::encode(out, ValueTrait<T>::to_value(value));
  }
  static DecodeStatus decode(ByteView bytes, Oid type, T& value) {
    Value plain{};
    const DecodeStatus status = Codec<Value>::decode(bytes, type, plain);
    if (status == DecodeStatus::ok) value = ValueTrait<T>::from_value(std::move(plain));
    return status;
  }
  static DecodeStatus decode_text(ByteView text, Oid type, T& value) {
    Value plain{};
    const DecodeStatus status = Codec<Value>::decode_text(text, type, plain);
    if (status == DecodeStatus::ok) value = ValueTrait<T>::from_value(std::move(plain));
    return status;
  }
};

}  // namespace switchyard::inline v0
