// Outcomes of encoding and decoding one value. Codecs answer with a status; whoever knows the column, the row or
// the number of the parameter makes an Error of it.
#pragma once

#include <switchyard/base/export.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace switchyard::inline v0 {

/// No value of PostgreSQL is larger than 1 GB (MaxAllocSize).
inline constexpr std::size_t kMaxValueBytes = 0x3FFFFFFF;

/// The protocol counts parameters with 16 bits (Bind, manual chapter 55.7).
inline constexpr std::size_t kMaxParameters = 65535;

/// Arrays have at most six dimensions (MAXDIM).
inline constexpr int kMaxDimensions = 6;

enum class DecodeStatus : std::uint8_t {
  ok,
  null_value,      ///< NULL into a type that can't hold it
  null_element,    ///< a NULL inside an array, range or composite whose element can't hold it
  malformed,       ///< the bytes are no value of the type
  not_text,        ///< the binary form of a user type read as text holds a zero byte: it is no text
  out_of_range,    ///< a value of the type that the C++ type can't hold
  element_type,    ///< an element or a field of a composite has a type that does not fit
  dimensions,      ///< a multi-dimensional array into std::vector
  field_count,     ///< the composite has not as many fields as the struct has members
  unknown_label,   ///< an enum label the trait does not list
  infinite,        ///< infinity into a chrono type
  calendar_units,  ///< an interval with months into a chrono duration
  format,          ///< this C++ type can't be read from the text format
  out_of_memory,
};

enum class EncodeStatus : std::uint8_t {
  ok,
  contains_nul,     ///< PostgreSQL's text can't hold a zero byte
  out_of_range,     ///< the PostgreSQL type can't hold this value
  unknown_label,    ///< an enumerator the trait does not list
  not_rectangular,  ///< a multi-dimensional array whose extents and elements disagree
};

/// "NULL", "an infinite value": what was found, to go into a sentence about a column.
[[nodiscard]] SWITCHYARD_API std::string_view describe(DecodeStatus status) noexcept;
[[nodiscard]] SWITCHYARD_API std::string_view describe(EncodeStatus status) noexcept;

}  // namespace switchyard::inline v0
