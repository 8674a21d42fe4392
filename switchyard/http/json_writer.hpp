// Writes one JSON document from front to back. Small and without headers of a JSON library, because every route and
// every `--json` of the command line goes through it.
#pragma once

#include <switchyard/base/export.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::inline v0::http {

enum class JsonLayout : std::uint8_t {
  compact,   ///< one line
  indented,  ///< two spaces a level, for documents that people look at
};

/// Appends text as the inside of a JSON string. Bytes that are not UTF-8 become U+FFFD, so the document is valid
/// whatever the database held.
SWITCHYARD_API void append_json_escaped(std::string& out, std::string_view text);

///     JsonWriter json;
///     json.begin_object().member("name", "main").member("up", true).end_object();
///     send(json.take());
class SWITCHYARD_API JsonWriter {
 public:
  explicit JsonWriter(JsonLayout layout = JsonLayout::indented) : layout_(layout) {}

  JsonWriter& begin_object() { return begin('{'); }
  JsonWriter& end_object() { return end('}'); }
  JsonWriter& begin_array() { return begin('['); }
  JsonWriter& end_array() { return end(']'); }
  JsonWriter& key(std::string_view name);

  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(bool truth) { return raw(truth ? "true" : "false"); }
  JsonWriter& value(double number);
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  JsonWriter& value(T number) {
    return raw(std::to_string(number));
  }
  JsonWriter& null() { return raw("null"); }
  /// Text that is JSON already.
  JsonWriter& raw(std::string_view json);

  template <class T>
  JsonWriter& member(std::string_view name, const T& content) {
    return key(name).value(content);
  }
  /// Nothing when the text is empty.
  JsonWriter& member_if(std::string_view name, std::string_view text) {
    return text.empty() ? *this : key(name).value(text);
  }

  /// The document, with a line feed at its end when indented.
  [[nodiscard]] std::string take();

 private:
  JsonWriter& begin(char bracket);
  JsonWriter& end(char bracket);
  void separate();

  std::string out_;
  JsonLayout layout_;
  int depth_ = 0;
  bool first_ = true;       // nothing yet at this level
  bool after_key_ = false;  // the value of a member follows
};

}  // namespace switchyard::inline v0::http
