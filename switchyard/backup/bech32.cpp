#include <switchyard/backup/bech32.hpp>

#include <array>
#include <cstdint>
#include <vector>

#include <switchyard/base/ascii.hpp>

namespace switchyard::inline v0::backup {

namespace {

constexpr std::string_view kAlphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr std::size_t kChecksumLength = 6;

using Words = std::vector<std::uint8_t>;  // five bits each

std::uint32_t polymod(const Words& words) noexcept {
  constexpr std::array<std::uint32_t, 5> kGenerator{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
  std::uint32_t state = 1;
  for (const std::uint8_t word : words) {
    const std::uint32_t top = state >> 25;
    state = (state & 0x1ffffff) << 5 ^ word;
    for (std::size_t i = 0; i < kGenerator.size(); ++i) {
      if ((top >> i & 1) != 0) state ^= kGenerator[i];
    }
  }
  return state;
}

Words expand(std::string_view prefix) {
  Words words;
  for (const char c : prefix) words.push_back(static_cast<std::uint8_t>(c) >> 5);
  words.push_back(0);
  for (const char c : prefix) words.push_back(static_cast<std::uint8_t>(c) & 31);
  return words;
}

Words to_words(std::string_view bytes) {
  Words words;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<std::uint8_t>(c);
    for (count += 8; count >= 5; count -= 5) words.push_back(bits >> (count - 5) & 31);
    bits &= (1U << count) - 1;
  }
  if (count > 0) words.push_back(bits << (5 - count) & 31);
  return words;
}

/// Nothing if the padding is not zero or longer than it must be.
std::optional<std::string> to_bytes(const Words& words) {
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const std::uint8_t word : words) {
    bits = bits << 5 | word;
    count += 5;
    if (count >= 8) {
      count -= 8;
      bytes += static_cast<char>(bits >> count);
      bits &= (1U << count) - 1;
    }
  }
  if (count >= 5 || bits != 0) return std::nullopt;
  return bytes;
}

}  // namespace

std::string bech32_encode(std::string_view prefix, std::string_view bytes) {
  const Words data = to_words(bytes);
  Words all = expand(prefix);
  all.insert(all.end(), data.begin(), data.end());
  all.insert(all.end(), kChecksumLength, 0);
  const std::uint32_t checksum = polymod(all) ^ 1;
  std::string text(prefix);
  text += '1';
  for (const std::uint8_t word : data) text += kAlphabet[word];
  for (std::size_t i = 0; i < kChecksumLength; ++i) text += kAlphabet[checksum >> 5 * (5 - i) & 31];
  return text;
}

std::optional<std::string> bech32_decode(std::string_view prefix, std::string_view text) {
  bool lower = false, upper = false;
  std::string folded;
  for (const char c : text) {
    lower = lower || base::is_lower(c);
    upper = upper || base::is_upper(c);
    folded += base::to_lower(c);
  }
  if (lower && upper) return std::nullopt;
  if (!folded.starts_with(std::string(prefix) + '1')) return std::nullopt;
  Words data;
  for (const char c : std::string_view(folded).substr(prefix.size() + 1)) {
    const std::size_t at = kAlphabet.find(c);
    if (at == std::string_view::npos) return std::nullopt;
    data.push_back(static_cast<std::uint8_t>(at));
  }
  if (data.size() < kChecksumLength) return std::nullopt;
  Words all = expand(prefix);
  all.insert(all.end(), data.begin(), data.end());
  if (polymod(all) != 1) return std::nullopt;
  data.resize(data.size() - kChecksumLength);
  return to_bytes(data);
}

}  // namespace switchyard::inline v0::backup
