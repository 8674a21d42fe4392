#include <switchyard/http/trace.hpp>

#include <switchyard/base/random.hpp>

#include <cstdint>
#include <random>
#include <string_view>

namespace switchyard::inline v0::http {

namespace {

constexpr std::size_t kTraceIdDigits = 32;

/// "00-<32 hex digits>-<16 hex digits>-<2 hex digits>", lower case, not all zero.
std::string_view trace_id_in(std::string_view traceparent) noexcept {
  constexpr std::size_t kShortest = 55;
  if (traceparent.size() < kShortest || traceparent[2] != '-' || traceparent[35] != '-') return {};
  const std::string_view id = traceparent.substr(3, kTraceIdDigits);
  if (id.find_first_not_of("0123456789abcdef") != std::string_view::npos) return {};
  return id.find_first_not_of('0') == std::string_view::npos ? std::string_view() : id;
}

void append_hex(std::string& out, std::uint64_t number) {
  for (int shift = 60; shift >= 0; shift -= 4) out += "0123456789abcdef"[(number >> shift) & 15];
}

}  // namespace

std::string trace_id_of(const HttpRequest& request) {
  if (const std::string_view id = trace_id_in(request.header("traceparent")); !id.empty()) return std::string(id);
  thread_local Random random((std::uint64_t{std::random_device{}()} << 32) | std::random_device{}());
  std::string id;
  append_hex(id, random.next() | 1);  // never all zero
  append_hex(id, random.next());
  return id;
}

}  // namespace switchyard::inline v0::http
