#include <tests/support/message_counter.hpp>

#include <algorithm>
#include <cstring>

namespace switchyard::testing {

namespace {

constexpr std::uint32_t kSslRequest = 80877103;
constexpr std::uint32_t kGssRequest = 80877104;
constexpr unsigned char kTlsHandshake = 0x16;

std::uint32_t load(const unsigned char* at) {
  return std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 | at[3];
}

}  // namespace

std::uint64_t MessageCounter::body_size(const unsigned char* header) const {
  const std::uint32_t length = load(untyped_ ? header : header + 1);
  const std::uint32_t counted = untyped_ ? 8 : 4;  // the length counts itself, and the code of untyped packets
  return length > counted ? length - counted : 0;
}

std::size_t MessageCounter::until_end(std::string_view next) const {
  if (opaque_ || next.empty()) return next.size();
  if (answer_expected_) return 1;
  unsigned char header[kLongestHeader];
  std::size_t known = std::min<std::uint64_t>(have_, header_size());
  std::memcpy(header, header_, known);
  const std::size_t more = std::min(header_size() - known, next.size());
  std::memcpy(header + known, next.data(), more);
  known += more;
  if (known < header_size()) return next.size();
  const std::uint64_t total = header_size() + body_size(header);
  return static_cast<std::size_t>(std::min<std::uint64_t>(total - have_, next.size()));
}

MessageCounter::Ended MessageCounter::take(std::string_view bytes) {
  if (opaque_ || bytes.empty()) return Ended::nothing;
  if (answer_expected_) {
    answer_expected_ = false;
    ++count_;
    return bytes[0] == 'S' || bytes[0] == 'G' ? Ended::encryption_granted : Ended::encryption_refused;
  }
  if (untyped_ && have_ == 0 && static_cast<unsigned char>(bytes[0]) == kTlsHandshake) {
    opaque_ = true;  // TLS from the first byte
    return Ended::encryption_granted;
  }
  if (have_ < header_size()) {
    const auto more = std::min<std::uint64_t>(header_size() - have_, bytes.size());
    std::memcpy(header_ + have_, bytes.data(), more);
  }
  have_ += bytes.size();
  if (have_ < header_size() || have_ < header_size() + body_size(header_)) return Ended::nothing;
  have_ = 0;
  ++count_;
  if (!untyped_) return Ended::message;
  const std::uint32_t code = load(header_ + 4);
  if (code == kSslRequest || code == kGssRequest) return Ended::encryption_request;
  untyped_ = false;
  return Ended::startup_packet;
}

}  // namespace switchyard::testing
