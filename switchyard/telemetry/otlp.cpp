#include <switchyard/telemetry/otlp.hpp>

#include <switchyard/base/version.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <variant>

namespace switchyard::inline v0::telemetry {

namespace {

constexpr int kStatusError = 2;

/// Length of the UTF-8 sequence at `at`; 0 when it is none.
std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char first = byte(0);
  const std::size_t length = first < 0x80       ? 1
                             : first >> 5 == 6  ? 2
                             : first >> 4 == 14 ? 3
                             : first >> 3 == 30 ? 4
                                                : 0;
  if (length == 0 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if (byte(i) >> 6 != 2) return 0;
  }
  if (length == 2 && first < 0xC2) return 0;
  if (length == 3 && ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F))) return 0;
  if (length == 4 && (first > 0xF4 || (first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F)))
    return 0;
  return length;
}

/// A JSON string; what is not UTF-8 becomes U+FFFD.
void put_text(std::string& out, std::string_view text) {
  out += '"';
  const auto is_plain = [](char c) { return c >= ' ' && c != '"' && c != '\\'; };
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && static_cast<unsigned char>(text[end]) < 0x80 && is_plain(text[end])) ++end;
    out += text.substr(at, end - at);
    at = end;
    if (at == text.size()) break;
    const char c = text[at];
    const std::size_t length = utf8_length(text, at);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      ++at;
    } else if (length > 1) {
      out += text.substr(at, length);
      at += length;
    } else {
      if (c == '"' || c == '\\') {
        out += '\\';
        out += c;
      } else if (static_cast<unsigned char>(c) < ' ') {
        out += "\\u00";
        out += "0123456789abcdef"[c >> 4];
        out += "0123456789abcdef"[c & 15];
      } else {
        out += c;
      }
      ++at;
    }
  }
  out += '"';
}

void put_value(std::string& out, const Span::Value& value) {
  std::visit(
      [&](const auto& v) {
        using T = std::remove_cvref_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::string>) {
          out += "{\"stringValue\":";
          put_text(out, v);
        } else if constexpr (std::is_same_v<T, bool>) {
          out += "{\"boolValue\":";
          out += v ? "true" : "false";
        } else if constexpr (std::is_same_v<T, std::int64_t>) {
          out += "{\"intValue\":\"" + std::to_string(v) + '"';
        } else {
          std::array<char, 32> buffer;
          const double number = std::isfinite(v) ? v : 0;
          out += "{\"doubleValue\":";
          out.append(buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr);
        }
      },
      value);
  out += '}';
}

void put_attribute(std::string& out, bool& first, std::string_view key, const Span::Value& value) {
  if (!first) out += ',';
  first = false;
  out += "{\"key\":";
  put_text(out, key);
  out += ",\"value\":";
  put_value(out, value);
  out += '}';
}

std::string unix_nanoseconds(TimePoint moment, const ClockPair& clocks) {
  const auto wall = clocks.wall.time_since_epoch() + (moment - clocks.monotonic);
  return std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(wall).count());
}

void put_span(std::string& out, const Span& span, const ClockPair& clocks) {
  out += "{\"traceId\":\"" + hex(span.trace) + "\",\"spanId\":\"" + hex(span.id) + '"';
  if (span.parent != 0) out += ",\"parentSpanId\":\"" + hex(span.parent) + '"';
  out += ",\"name\":";
  put_text(out, span.name);
  out += ",\"kind\":" + std::to_string(static_cast<int>(span.kind));
  out += ",\"startTimeUnixNano\":\"" + unix_nanoseconds(span.begun, clocks) + '"';
  out += ",\"endTimeUnixNano\":\"" + unix_nanoseconds(span.ended, clocks) + '"';
  out += ",\"attributes\":[";
  bool first = true;
  for (const auto& [key, value] : span.attributes) put_attribute(out, first, key, value);
  out += ']';
  if (!span.error.empty()) {
    out += ",\"status\":{\"code\":" + std::to_string(kStatusError) + ",\"message\":";
    put_text(out, span.error);
    out += '}';
  }
  out += '}';
}

}  // namespace

std::string otlp_json(const ResourceAttributes& resource, std::span<const Span> spans, const ClockPair& clocks) {
  constexpr std::size_t kUsualSpan = 1200;
  std::string out;
  out.reserve((spans.size() + 1) * kUsualSpan);
  out += "{\"resourceSpans\":[{\"resource\":{\"attributes\":[";
  bool first = true;
  for (const auto& [key, value] : resource) put_attribute(out, first, key, value);
  out += "]},\"scopeSpans\":[{\"scope\":{\"name\":\"switchyard\",\"version\":";
  put_text(out, kVersion);
  out += "},\"spans\":[";
  for (const Span& span : spans) {
    if (&span != spans.data()) out += ',';
    put_span(out, span, clocks);
  }
  return out + "]}]}]}";
}

}  // namespace switchyard::inline v0::telemetry
