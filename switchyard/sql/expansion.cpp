#include <switchyard/sql/expansion.hpp>

#include <pg_query.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <strings.h>

namespace switchyard::inline v0::sql {

namespace {

// Tokens by the numbers of libpg_query's scanner; those that stand for one character have its code.
constexpr std::uint64_t kSqlComment = 275;
constexpr std::uint64_t kCComment = 276;
constexpr std::uint64_t kSet = 632;

/// Reads the scanner's answer, which is in Protocol Buffers' format.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) noexcept : bytes_(bytes) {}

  struct Field {
    std::uint64_t number = 0;
    std::uint64_t value = 0;  ///< of a number
    std::string_view bytes;   ///< of a message
  };
  /// The next field; nothing at the end, and of what is malformed.
  std::optional<Field> next() noexcept {
    const auto tag = varint();
    if (!tag) return std::nullopt;
    Field field{.number = *tag >> 3};
    const auto value = varint();
    if (!value) return std::nullopt;
    field.value = *value;
    if ((*tag & 7) == 2) {
      if (*value > bytes_.size()) return std::nullopt;
      field.bytes = bytes_.substr(0, static_cast<std::size_t>(*value));
      bytes_.remove_prefix(field.bytes.size());
    }
    return field;
  }

 private:
  std::optional<std::uint64_t> varint() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !bytes_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return std::nullopt;
  }

  std::string_view bytes_;
};

std::vector<std::uint64_t> tokens_of(const char* text) {
  std::vector<std::uint64_t> tokens;
  const PgQueryScanResult scanned = pg_query_scan(text);
  if (scanned.error == nullptr) {
    WireReader result({scanned.pbuf.data, scanned.pbuf.len});
    while (const auto token = result.next()) {
      if (token->number != 2) continue;
      WireReader fields(token->bytes);
      while (const auto field = fields.next()) {
        if (field->number == 4 && field->value != kSqlComment && field->value != kCComment) {
          tokens.push_back(field->value);
        }
      }
    }
  }
  pg_query_free_scan_result(scanned);
  return tokens;
}

bool opens(std::uint64_t token) noexcept { return token == '(' || token == '['; }
bool closes(std::uint64_t token) noexcept { return token == ')' || token == ']'; }

bool contains_set(const char* text) noexcept {
  for (; *text != '\0'; ++text) {
    if ((*text == 's' || *text == 'S') && ::strncasecmp(text, "set", 3) == 0) return true;
  }
  return false;
}

/// What is open at a token: a parenthesis with its columns, should it turn out to be a list of them.
struct Open {
  bool may_be_columns = false;  ///< behind SET or a comma
  std::size_t columns = 1;
};
/// A source that is being read: each of its tokens counts `copies` times.
struct Source {
  std::size_t depth = 0;  ///< it ends with a comma here, or when this level ends
  std::size_t copies = 1;
};

}  // namespace

bool expands_too_much(const char* text) {
  if (!contains_set(text)) return false;
  const std::vector<std::uint64_t> tokens = tokens_of(text);
  std::vector<Open> open;
  std::vector<Source> sources;
  std::size_t total = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const std::uint64_t token = tokens[i];
    total += sources.empty() ? 1 : sources.back().copies;
    if (total > kMaxTreeTokens) return true;
    if (opens(token)) {
      open.push_back({.may_be_columns = i > 0 && (tokens[i - 1] == kSet || tokens[i - 1] == ',')});
    } else if (token == ',') {
      if (!open.empty()) ++open.back().columns;
      while (!sources.empty() && sources.back().depth == open.size()) sources.pop_back();
    } else if (closes(token) && !open.empty()) {
      const Open closed = open.back();
      open.pop_back();
      while (!sources.empty() && sources.back().depth > open.size()) sources.pop_back();
      if (closed.may_be_columns && closed.columns > 1 && i + 1 < tokens.size() && tokens[i + 1] == '=') {
        const std::size_t outer = sources.empty() ? 1 : sources.back().copies;
        sources.push_back({.depth = open.size(), .copies = std::min(outer * closed.columns, 2 * kMaxTreeTokens)});
      }
    }
  }
  return false;
}

}  // namespace switchyard::inline v0::sql
