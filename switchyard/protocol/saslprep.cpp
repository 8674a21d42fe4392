#include <switchyard/protocol/saslprep.hpp>

#include <switchyard/protocol/unicode/tables.hpp>

#include <algorithm>
#include <cstdint>
#include <span>

namespace switchyard::inline v0::protocol {
namespace {

using unicode::CodeRange;

// Hangul syllables are composed by arithmetic (Unicode chapter 3.12).
constexpr char32_t kHangulBase = 0xAC00, kLeadBase = 0x1100, kVowelBase = 0x1161, kTailBase = 0x11A7;
constexpr char32_t kLeads = 19, kVowels = 21, kTails = 28;
constexpr char32_t kSyllables = kLeads * kVowels * kTails;

bool within(char32_t code, const CodeRange* table, std::size_t size) noexcept {
  const CodeRange* end = table + size;
  const CodeRange* at =
      std::lower_bound(table, end, code, [](const CodeRange& r, char32_t c) { return r.last < c; });
  return at != end && at->first <= code;
}

/// Strict UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
std::optional<std::u32string> decode_utf8(std::string_view text) {
  std::u32string codes;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t size = lead < 0x80         ? 1
                             : (lead >> 5) == 6  ? 2
                             : (lead >> 4) == 14 ? 3
                             : (lead >> 3) == 30 ? 4
                                                 : 0;
    if (size == 0 || text.size() - i < size) return std::nullopt;
    char32_t code = size == 1 ? lead : lead & (0xFFU >> (size + 1));
    for (std::size_t k = 1; k < size; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next >> 6) != 2) return std::nullopt;
      code = code << 6 | (next & 0x3FU);
    }
    constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code < kSmallest[size] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return std::nullopt;
    codes.push_back(code);
    i += size;
  }
  return codes;
}

std::string encode_utf8(const std::u32string& codes) {
  std::string text;
  const auto put = [&text](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  for (const char32_t code : codes) {
    if (code < 0x80) {
      put(code);
    } else if (code < 0x800) {
      put(0xC0 | code >> 6);
      put(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      put(0xE0 | code >> 12);
      put(0x80 | (code >> 6 & 0x3F));
      put(0x80 | (code & 0x3F));
    } else {
      put(0xF0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3F));
      put(0x80 | (code >> 6 & 0x3F));
      put(0x80 | (code & 0x3F));
    }
  }
  return text;
}

std::uint8_t combining_class(char32_t code) noexcept {
  const auto* end = unicode::kCombiningClasses + unicode::kCombiningClassesSize;
  const auto* at = std::lower_bound(unicode::kCombiningClasses, end, code,
                                    [](const unicode::CombiningClass& r, char32_t c) { return r.last < c; });
  return at != end && at->first <= code ? at->value : 0;
}

void decompose(char32_t code, std::u32string& out) {
  if (code - kHangulBase < kSyllables) {
    const char32_t index = code - kHangulBase;
    out.push_back(kLeadBase + index / (kVowels * kTails));
    out.push_back(kVowelBase + index % (kVowels * kTails) / kTails);
    if (index % kTails != 0) out.push_back(kTailBase + index % kTails);
    return;
  }
  const auto* end = unicode::kDecompositions + unicode::kDecompositionsSize;
  const auto* at = std::lower_bound(unicode::kDecompositions, end, code,
                                    [](const unicode::Decomposition& d, char32_t c) { return d.code < c; });
  if (at != end && at->code == code) {
    out.append(unicode::kDecompositionPool + at->at, at->size);
  } else {
    out.push_back(code);
  }
}

/// The composite of two characters, or 0.
char32_t compose(char32_t first, char32_t second) noexcept {
  if (first - kLeadBase < kLeads && second - kVowelBase < kVowels) {
    return kHangulBase + ((first - kLeadBase) * kVowels + (second - kVowelBase)) * kTails;
  }
  if (first - kHangulBase < kSyllables && (first - kHangulBase) % kTails == 0 && second > kTailBase &&
      second - kTailBase < kTails) {
    return first + (second - kTailBase);
  }
  const auto* end = unicode::kCompositions + unicode::kCompositionsSize;
  const auto* at = std::lower_bound(unicode::kCompositions, end, std::pair(first, second),
                                    [](const unicode::Composition& c, const std::pair<char32_t, char32_t>& key) {
                                      return std::pair(c.first, c.second) < key;
                                    });
  return at != end && at->first == first && at->second == second ? at->composed : 0;
}

/// Unicode normalization form KC.
std::u32string normalize(const std::u32string& codes) {
  std::u32string text;
  for (const char32_t code : codes) decompose(code, text);

  // Canonical order: a combining character moves in front of those of higher class.
  for (auto at = text.begin(); at != text.end(); ++at) {
    const std::uint8_t own = combining_class(*at);
    if (own == 0) continue;
    auto place = at;
    while (place != text.begin() && combining_class(*(place - 1)) > own) --place;
    std::rotate(place, at, at + 1);
  }

  // A character joins the last starter unless something between them blocks it.
  std::u32string composed;
  std::size_t starter = std::u32string::npos;
  int last_class = -1;
  for (const char32_t code : text) {
    const int code_class = combining_class(code);
    if (starter != std::u32string::npos && last_class < code_class) {
      if (const char32_t joined = compose(composed[starter], code); joined != 0) {
        composed[starter] = joined;
        continue;
      }
    }
    if (code_class == 0) {
      starter = composed.size();
      last_class = -1;
    } else {
      last_class = code_class;
    }
    composed.push_back(code);
  }
  return composed;
}

bool right_to_left(char32_t code) noexcept { return within(code, unicode::kRandAL, unicode::kRandALSize); }
bool left_to_right(char32_t code) noexcept { return within(code, unicode::kLCat, unicode::kLCatSize); }
bool prohibited(char32_t code) noexcept { return within(code, unicode::kProhibited, unicode::kProhibitedSize); }

/// RFC 3454 section 6.
bool directions_allowed(const std::u32string& text) noexcept {
  if (std::ranges::none_of(text, right_to_left)) return true;
  return std::ranges::none_of(text, left_to_right) && right_to_left(text.front()) && right_to_left(text.back());
}

}  // namespace

std::optional<std::string> saslprep(std::string_view text) {
  if (std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; }))
    return std::string(text);
  const auto codes = decode_utf8(text);
  if (!codes) return std::nullopt;
  std::u32string mapped;
  for (const char32_t code : *codes) {
    if (within(code, unicode::kNonAsciiSpaces, unicode::kNonAsciiSpacesSize)) {
      mapped.push_back(U' ');
    } else if (!within(code, unicode::kMappedToNothing, unicode::kMappedToNothingSize)) {
      mapped.push_back(code);
    }
  }
  if (mapped.empty() || std::ranges::any_of(mapped, prohibited) || !directions_allowed(mapped)) return std::nullopt;
  return encode_utf8(normalize(mapped));
}

std::string prepare_password(std::string_view password) {
  if (auto prepared = saslprep(password)) return std::move(*prepared);
  return std::string(password);
}

}  // namespace switchyard::inline v0::protocol
