// Reads members of a JSON object that this room wrote; what is missing or of another kind is empty. Internal.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::inline v0::backup {

inline std::string text_in(const boost::json::object& object, std::string_view name) {
  const boost::json::value* value = object.if_contains(name);
  const boost::json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string() : std::string(text->data(), text->size());
}

inline std::uint64_t number_in(const boost::json::object& object, std::string_view name) {
  const boost::json::value* value = object.if_contains(name);
  if (value == nullptr) return 0;
  if (const auto* positive = value->if_uint64()) return *positive;
  const auto* any = value->if_int64();
  return any == nullptr || *any < 0 ? 0 : static_cast<std::uint64_t>(*any);
}

inline bool flag_in(const boost::json::object& object, std::string_view name) {
  const boost::json::value* value = object.if_contains(name);
  const bool* flag = value == nullptr ? nullptr : value->if_bool();
  return flag != nullptr && *flag;
}

inline const boost::json::array& array_in(const boost::json::object& object, std::string_view name) {
  static const boost::json::array kNone;
  const boost::json::value* value = object.if_contains(name);
  const boost::json::array* array = value == nullptr ? nullptr : value->if_array();
  return array == nullptr ? kNone : *array;
}

inline const boost::json::object& object_of(const boost::json::value* value) {
  static const boost::json::object kNone;
  const boost::json::object* object = value == nullptr ? nullptr : value->if_object();
  return object == nullptr ? kNone : *object;
}

inline const boost::json::object& object_in(const boost::json::object& object, std::string_view name) {
  return object_of(object.if_contains(name));
}

}  // namespace switchyard::inline v0::backup
