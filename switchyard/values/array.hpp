// Arrays: std::vector<T> for one dimension, Array<T> for any number of them with lower bounds (manual
// chapter 8.15). T may be std::optional, then elements may be NULL. An empty array has no dimensions.
#pragma once

#include <switchyard/values/codec.hpp>
#include <switchyard/values/encode_counted.hpp>
#include <switchyard/values/literal.hpp>
#include <switchyard/values/render.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace switchyard::inline v0 {

/// An array of up to six dimensions, its elements in row-major order.
template <class T>
struct Array {
  struct Dimension {
    std::int32_t extent = 0;
    std::int32_t lower_bound = 1;
    bool operator==(const Dimension&) const noexcept = default;
  };

  std::vector<Dimension> dimensions;  ///< none if there are no elements
  std::vector<T> elements;

  bool operator==(const Array&) const = default;
};

namespace values {

/// The element type of an array type, or 0; user types are their own answer, since only the value knows.
[[nodiscard]] inline Oid element_of(Oid array) noexcept {
  if (is_user_type(array)) return array;
  const TypeInfo* info = find_type(array);
  return info != nullptr && info->kind == TypeKind::array ? info->element : 0;
}

// Elements of one width without NULLs are loops that the compiler turns into vector code.

/// False if any element is NULL or of another width.
template <class T>
[[nodiscard]] bool decode_fixed(const char* bytes, std::size_t count, T* to) noexcept {
  constexpr std::size_t kStride = 4 + sizeof(T);
  // Widths are compared as they lie in the buffer, so that the loop swaps the values only.
  std::uint32_t expected = 0;
  base::store_be(reinterpret_cast<char*>(&expected), static_cast<std::uint32_t>(sizeof(T)));
  std::uint32_t difference = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const char* at = bytes + i * kStride;
    std::uint32_t width;
    std::memcpy(&width, at, sizeof(width));
    difference |= width ^ expected;
    to[i] = std::bit_cast<T>(base::load_be<BitsOf<T>>(at + 4));
  }
  return difference == 0;
}

/// Reads the elements behind a checked header into `to`.
template <class T>
DecodeStatus decode_elements(const ArrayHeader& header, std::vector<T>& to) {
  const auto count = static_cast<std::size_t>(header.count);
  if (count != 0 && !Codec<T>::accepts(header.element)) return DecodeStatus::element_type;
  if constexpr (is_fixed_number<T>) {
    if (header.element == Codec<T>::oid && header.elements.size() == count * (4 + sizeof(T))) {
      to.resize(count);
      if (decode_fixed(header.elements.data(), count, to.data())) [[likely]]
        return DecodeStatus::ok;
    }
  }
  to.clear();
  to.reserve(count);
  ElementReader reader(header.elements);
  for (std::size_t i = 0; i < count; ++i) {
    const char* data = nullptr;
    std::int32_t size = 0;
    if (!reader.next(data, size)) return DecodeStatus::malformed;
    DecodeStatus status;
    if constexpr (std::is_same_v<T, bool>) {
      bool element = false;
      status = decode_field<bool>(data, size, header.element, &element);
      to.push_back(element);
    } else {
      status = decode_field<T>(data, size, header.element, &to.emplace_back());
    }
    if (status != DecodeStatus::ok) return status == DecodeStatus::null_value ? DecodeStatus::null_element : status;
  }
  return reader.done() ? DecodeStatus::ok : DecodeStatus::malformed;
}

/// Reads one element of a literal.
template <class T>
DecodeStatus decode_literal_element(ArrayLiteral& literal, ArrayLiteral::Step step, Oid type, std::vector<T>& to) {
  const std::string_view text = step == ArrayLiteral::Step::null ? std::string_view() : literal.element();
  const std::int32_t size = step == ArrayLiteral::Step::null ? -1 : static_cast<std::int32_t>(text.size());
  DecodeStatus status;
  if constexpr (std::is_same_v<T, bool>) {
    bool element = false;
    status = decode_text_field<bool>(text.data(), size, type, &element);
    to.push_back(element);
  } else {
    status = decode_text_field<T>(text.data(), size, type, &to.emplace_back());
  }
  return status == DecodeStatus::null_value ? DecodeStatus::null_element : status;
}

/// int2vector and oidvector are arrays in binary, but "1 2 3" in text.
[[nodiscard]] inline bool is_spaced_vector(Oid type) noexcept {
  return type == oids::int2vector || type == oids::oidvector;
}

template <class T>
DecodeStatus decode_spaced_vector(ByteView text, Oid type, std::vector<T>& to) {
  to.clear();
  const Oid element = type == oids::int2vector ? oids::int2 : oids::oid;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    T value{};
    const DecodeStatus status = decode_text_field<T>(text.data(), static_cast<std::int32_t>(end), element, &value);
    if (status != DecodeStatus::ok) return status;
    to.push_back(std::move(value));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return DecodeStatus::ok;
}

/// Writes one element into a literal.
template <class T>
EncodeStatus append_literal_element(std::string& out, const T& element) {
  if constexpr (is_optional<T>) {
    if (element) return append_literal_element(out, *element);
    out += "NULL";
    return EncodeStatus::ok;
  } else {
    std::string text;
    const EncodeStatus status = append_value_text(text, element);
    if (status == EncodeStatus::ok) append_array_element(out, text);
    return status;
  }
}

/// The elements of a binary array, each behind its length.
template <class T>
EncodeStatus encode_elements(base::WriteBuffer& out, const std::vector<T>& elements) {
  if constexpr (is_fixed_number<T>) {
    constexpr std::size_t kStride = 4 + sizeof(T);
    char* at = out.append(elements.size() * kStride);
    if (at == nullptr) return EncodeStatus::ok;  // the buffer remembers that it failed
    for (const T& element : elements) {
      base::store_be(at, static_cast<std::uint32_t>(sizeof(T)));
      base::store_be(at + 4, std::bit_cast<BitsOf<T>>(element));
      at += kStride;
    }
  } else {
    for (const auto& element : elements) {
      if constexpr (is_optional<T>) {
        if (!element) {
          out.put_i32(-1);
          continue;
        }
      }
      if (const EncodeStatus status = encode_counted<T>(out, element); status != EncodeStatus::ok) return status;
    }
  }
  return EncodeStatus::ok;
}

template <class T>
[[nodiscard]] constexpr bool may_hold_null() noexcept {
  return is_optional<T>;
}

inline void encode_array_head(base::WriteBuffer& out, std::int32_t dimensions, bool nullable,
                              Oid element) noexcept {
  out.put_i32(dimensions);
  out.put_i32(nullable ? 1 : 0);
  out.put_u32(element);
}

}  // namespace values

template <class T>
struct Codec<std::vector<T>> {
  static constexpr Oid oid = Codec<T>::array_oid;
  static constexpr Oid array_oid = oids::unspecified;
  static std::string cpp_name() { return "std::vector<" + values::cpp_name<T>() + ">"; }

  static bool accepts(Oid type) noexcept {
    const Oid element = values::element_of(type);
    return element != 0 && Codec<T>::accepts(element);
  }

  static EncodeStatus encode(base::WriteBuffer& out, const std::vector<T>& value) {
    if constexpr (oid == oids::unspecified) {
      std::string literal = "{";
      for (const T& element : value) {
        if (literal.size() > 1) literal += ',';
        const EncodeStatus status = values::append_literal_element<T>(literal, element);
        if (status != EncodeStatus::ok) return status;
      }
      literal += '}';
      out.put(literal);
      return EncodeStatus::ok;
    } else {
      if (value.size() > kMaxValueBytes / 4) return EncodeStatus::out_of_range;
      values::encode_array_head(out, value.empty() ? 0 : 1, values::may_hold_null<T>(), Codec<T>::oid);
      if (value.empty()) return EncodeStatus::ok;
      out.put_i32(static_cast<std::int32_t>(value.size()));
      out.put_i32(1);
      return values::encode_elements(out, value);
    }
  }

  static DecodeStatus decode(ByteView bytes, Oid, std::vector<T>& value) {
    values::ArrayHeader header;
    const DecodeStatus status = values::read_array_header(bytes, header);
    if (status != DecodeStatus::ok) return status;
    if (header.dimensions > 1) return DecodeStatus::dimensions;
    return values::decode_elements(header, value);
  }

  static DecodeStatus decode_text(ByteView text, Oid type, std::vector<T>& value) {
    using Step = values::ArrayLiteral::Step;
    if (values::is_spaced_vector(type)) return values::decode_spaced_vector(text, type, value);
    value.clear();
    values::ArrayLiteral literal(text);
    const Oid element = values::element_of(type);
    int depth = 0;
    for (;;) {
      switch (const Step step = literal.next()) {
        case Step::open:
          if (++depth > 1) return DecodeStatus::dimensions;
          break;
        case Step::close: break;
        case Step::element:
        case Step::null: {
          const DecodeStatus status = values::decode_literal_element(literal, step, element, value);
          if (status != DecodeStatus::ok) return status;
          break;
        }
        case Step::end: return DecodeStatus::ok;
        case Step::malformed: return DecodeStatus::malformed;
      }
    }
  }
};

template <class T>
struct Codec<Array<T>> {
  static constexpr Oid oid = Codec<T>::array_oid;
  static constexpr Oid array_oid = oids::unspecified;
  static std::string cpp_name() { return "switchyard::Array<" + values::cpp_name<T>() + ">"; }

  static bool accepts(Oid type) noexcept { return Codec<std::vector<T>>::accepts(type); }

  static EncodeStatus encode(base::WriteBuffer& out, const Array<T>& value) {
    if (!is_rectangular(value)) return EncodeStatus::not_rectangular;
    if constexpr (oid == oids::unspecified) {
      std::string literal;
      append_bounds(literal, value);
      std::size_t at = 0;
      const EncodeStatus status = append_dimension(literal, value, 0, at);
      if (status != EncodeStatus::ok) return status;
      out.put(literal);
      return EncodeStatus::ok;
    } else {
      values::encode_array_head(out, static_cast<std::int32_t>(value.dimensions.size()), values::may_hold_null<T>(),
                                Codec<T>::oid);
      for (const auto& dimension : value.dimensions) {
        out.put_i32(dimension.extent);
        out.put_i32(dimension.lower_bound);
      }
      return values::encode_elements(out, value.elements);
    }
  }

  static DecodeStatus decode(ByteView bytes, Oid, Array<T>& value) {
    values::ArrayHeader header;
    const DecodeStatus status = values::read_array_header(bytes, header);
    if (status != DecodeStatus::ok) return status;
    value.dimensions.resize(header.count == 0 ? 0 : static_cast<std::size_t>(header.dimensions));
    for (std::size_t i = 0; i < value.dimensions.size(); ++i) {
      value.dimensions[i] = {header.extent[i], header.lower[i]};
    }
    return values::decode_elements(header, value.elements);
  }

  static DecodeStatus decode_text(ByteView text, Oid type, Array<T>& value) {
    using Step = values::ArrayLiteral::Step;
    value.elements.clear();
    value.dimensions.clear();
    if (values::is_spaced_vector(type)) {
      const DecodeStatus status = values::decode_spaced_vector(text, type, value.elements);
      if (!value.elements.empty()) {
        value.dimensions.push_back({static_cast<std::int32_t>(value.elements.size()), 0});
      }
      return status;
    }
    values::ArrayLiteral literal(text);
    const Oid element = values::element_of(type);
    // How many things each open level holds so far; the first closed level of a depth fixes its extent.
    std::array<std::int32_t, kMaxDimensions> held{}, extent{};
    std::size_t depth = 0, deepest = 0;
    for (;;) {
      switch (const Step step = literal.next()) {
        case Step::open:
          if (depth > 0) ++held[depth - 1];
          held[depth++] = 0;
          deepest = std::max(deepest, depth);
          break;
        case Step::close:
          --depth;
          if (extent[depth] == 0) extent[depth] = held[depth];
          if (extent[depth] != held[depth]) return DecodeStatus::malformed;
          break;
        case Step::element:
        case Step::null: {
          if (depth != deepest) return DecodeStatus::malformed;
          ++held[depth - 1];
          const DecodeStatus status = values::decode_literal_element(literal, step, element, value.elements);
          if (status != DecodeStatus::ok) return status;
          break;
        }
        case Step::end:
          if (!value.elements.empty()) {
            for (std::size_t i = 0; i < deepest; ++i) {
              value.dimensions.push_back({extent[i], literal.lower_bound(static_cast<int>(i))});
            }
          }
          return is_rectangular(value) ? DecodeStatus::ok : DecodeStatus::malformed;
        case Step::malformed: return DecodeStatus::malformed;
      }
    }
  }

 private:
  static bool is_rectangular(const Array<T>& value) noexcept {
    if (value.dimensions.size() > static_cast<std::size_t>(kMaxDimensions)) return false;
    if (value.elements.size() > kMaxValueBytes / 4) return false;
    std::size_t count = value.dimensions.empty() ? 0 : 1;
    for (const auto& dimension : value.dimensions) {
      if (dimension.extent <= 0) return false;
      count *= static_cast<std::size_t>(dimension.extent);
      if (count > value.elements.size()) return false;
    }
    return count == value.elements.size();
  }

  static void append_bounds(std::string& out, const Array<T>& value) {
    const bool shown = std::any_of(value.dimensions.begin(), value.dimensions.end(),
                                   [](const auto& dimension) { return dimension.lower_bound != 1; });
    if (!shown) return;
    for (const auto& dimension : value.dimensions) {
      out += '[' + std::to_string(dimension.lower_bound) + ':' +
             std::to_string(static_cast<std::int64_t>(dimension.lower_bound) + dimension.extent - 1) + ']';
    }
    out += '=';
  }

  static EncodeStatus append_dimension(std::string& out, const Array<T>& value, std::size_t depth,
                                       std::size_t& at) {
    out += '{';
    const std::int32_t extent = depth < value.dimensions.size() ? value.dimensions[depth].extent : 0;
    for (std::int32_t i = 0; i < extent; ++i) {
      if (i != 0) out += ',';
      const EncodeStatus status = depth + 1 < value.dimensions.size()
                                      ? append_dimension(out, value, depth + 1, at)
                                      : values::append_literal_element<T>(out, value.elements[at++]);
      if (status != EncodeStatus::ok) return status;
    }
    out += '}';
    return EncodeStatus::ok;
  }
};

}  // namespace switchyard::inline v0
