#include <switchyard/telemetry/trace_context.hpp>

#include <switchyard/base/random.hpp>

#include <random>

namespace switchyard::inline v0::telemetry {

namespace {

constexpr std::size_t kTraceAt = 3;
constexpr std::size_t kSpanAt = 36;
constexpr std::size_t kFlagsAt = 53;
constexpr std::size_t kLength = 55;
constexpr std::size_t kHexOfWord = 16;

/// Lower-case digits only, as the specification wants.
std::optional<std::uint64_t> read_hex(std::string_view text) noexcept {
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c >= '0' && c <= '9') {
      value = value << 4 | static_cast<std::uint64_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      value = value << 4 | static_cast<std::uint64_t>(c - 'a' + 10);
    } else {
      return std::nullopt;
    }
  }
  return value;
}

void append_hex(std::string& out, std::uint64_t number) {
  for (int shift = 60; shift >= 0; shift -= 4) out += "0123456789abcdef"[(number >> shift) & 15];
}

Random& source() noexcept {
  thread_local Random random((std::uint64_t{std::random_device{}()} << 32) | std::random_device{}());
  return random;
}

}  // namespace

std::optional<TraceParent> TraceParent::parse(std::string_view text) noexcept {
  if (text.size() < kLength || text[2] != '-' || text[kSpanAt - 1] != '-' || text[kFlagsAt - 1] != '-') {
    return std::nullopt;
  }
  const auto version = read_hex(text.substr(0, 2));
  if (!version || *version == 0xff) return std::nullopt;
  if (text.size() > kLength && (*version == 0 || text[kLength] != '-')) return std::nullopt;
  const auto high = read_hex(text.substr(kTraceAt, kHexOfWord));
  const auto low = read_hex(text.substr(kTraceAt + kHexOfWord, kHexOfWord));
  const auto span = read_hex(text.substr(kSpanAt, kHexOfWord));
  const auto flags = read_hex(text.substr(kFlagsAt, 2));
  if (!high || !low || !span || !flags || *span == 0) return std::nullopt;
  const TraceParent parent{.trace = {*high, *low}, .span = *span, .sampled = (*flags & 1) != 0};
  return parent.trace.valid() ? std::optional(parent) : std::nullopt;
}

std::string TraceParent::text() const { return "00-" + hex(trace) + '-' + hex(span) + (sampled ? "-01" : "-00"); }

std::string hex(const TraceId& id) {
  std::string out;
  append_hex(out, id.high);
  append_hex(out, id.low);
  return out;
}

std::string hex(std::uint64_t span_id) {
  std::string out;
  append_hex(out, span_id);
  return out;
}

TraceId new_trace_id() noexcept { return {source().next() | 1, source().next()}; }
std::uint64_t new_span_id() noexcept { return source().next() | 1; }
bool draw_sample(double ratio) noexcept { return ratio >= 1 || (ratio > 0 && source().unit() < ratio); }

}  // namespace switchyard::inline v0::telemetry
