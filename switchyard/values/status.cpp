#include <switchyard/values/status.hpp>

namespace switchyard::inline v0 {

std::string_view describe(DecodeStatus status) noexcept {
  switch (status) {
    case DecodeStatus::ok: return "fits";
    case DecodeStatus::null_value: return "is NULL";
    case DecodeStatus::null_element: return "holds a NULL, and its element type is not std::optional";
    case DecodeStatus::malformed: return "is malformed";
    case DecodeStatus::not_text: return "is of a user type whose binary form is not text";
    case DecodeStatus::out_of_range: return "is out of range";
    case DecodeStatus::element_type: return "has elements or fields of another type";
    case DecodeStatus::dimensions: return "has more than one dimension";
    case DecodeStatus::field_count: return "has another number of fields than the struct has members";
    case DecodeStatus::unknown_label: return "is an enum label that EnumLabels does not list";
    case DecodeStatus::infinite: return "is infinite";
    case DecodeStatus::calendar_units: return "is an interval with months, which have no fixed length";
    case DecodeStatus::format: return "arrived in text format, which this type can't be read from";
    case DecodeStatus::out_of_memory: return "does not fit into memory";
  }
  return "is malformed";
}

std::string_view describe(EncodeStatus status) noexcept {
  switch (status) {
    case EncodeStatus::ok: return "fits";
    case EncodeStatus::contains_nul: return "contains a zero byte, which PostgreSQL's text can't hold";
    case EncodeStatus::out_of_range: return "is out of the range of its PostgreSQL type";
    case EncodeStatus::unknown_label: return "is an enumerator that EnumLabels does not list";
    case EncodeStatus::not_rectangular: return "is an array whose extents and number of elements disagree";
  }
  return "can't be encoded";
}

}  // namespace switchyard::inline v0
