#include <switchyard/fleet/patroni_cluster.hpp>

#include <charconv>
#include <optional>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

/// Deeper documents are refused.
constexpr int kDeepest = 32;

/// Reads a JSON document forward. What is not understood ends it; nothing is thrown.
class Scanner {
 public:
  explicit Scanner(std::string_view text) noexcept : rest_(text) {}

  [[nodiscard]] bool failed() const noexcept { return failed_; }
  [[nodiscard]] bool at_end() noexcept {
    skip_space();
    return rest_.empty();
  }

  /// Calls `member(key)` for each member of an object; it must read the value.
  template <class F>
  void object(F member) {
    if (!enter('{')) return;
    for (bool first = true; !failed_ && !leave('}'); first = false) {
      if (!first && !take(',')) return fail();
      const std::optional<std::string> key = string();
      if (!key || !take(':')) return fail();
      member(*key);
    }
  }
  /// Calls `element()` for each element of an array; it must read it.
  template <class F>
  void array(F element) {
    if (!enter('[')) return;
    for (bool first = true; !failed_ && !leave(']'); first = false) {
      if (!first && !take(',')) return fail();
      element();
    }
  }
  /// A string; nothing when another kind of value stands here. Escapes of characters beyond ASCII become '?'.
  std::optional<std::string> string() {
    skip_space();
    if (!rest_.starts_with('"')) return std::nullopt;
    rest_.remove_prefix(1);
    std::string out;
    while (!rest_.empty() && rest_.front() != '"') {
      char c = next();
      if (c == '\\') c = escaped();
      out += c;
    }
    if (rest_.empty()) {
      fail();
      return std::nullopt;
    }
    rest_.remove_prefix(1);
    return out;
  }
  template <class Number>
  std::optional<Number> number() {
    skip_space();
    Number value{};
    const char* const end = rest_.data() + rest_.size();
    const auto [stopped, problem] = std::from_chars(rest_.data(), end, value);
    const bool whole = stopped == end || (*stopped != '.' && *stopped != 'e' && *stopped != 'E');
    if (problem != std::errc() || !whole) {
      skip();
      return std::nullopt;
    }
    rest_.remove_prefix(static_cast<std::size_t>(stopped - rest_.data()));
    return value;
  }
  /// Any value.
  void skip() {
    skip_space();
    if (rest_.empty()) return fail();
    switch (rest_.front()) {
      case '{': object([this](const std::string&) { skip(); }); break;
      case '[': array([this] { skip(); }); break;
      case '"': (void)string(); break;
      default: {
        const std::size_t length = rest_.find_first_of(",]} \t\r\n");
        if (length == 0) return fail();
        rest_.remove_prefix(std::min(length, rest_.size()));
      }
    }
  }

 private:
  void fail() noexcept {
    failed_ = true;
    rest_ = {};
  }
  void skip_space() noexcept {
    const std::size_t at = rest_.find_first_not_of(" \t\r\n");
    rest_.remove_prefix(at == std::string_view::npos ? rest_.size() : at);
  }
  char next() noexcept {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  char escaped() noexcept {
    if (rest_.empty()) return '?';
    const char c = next();
    switch (c) {
      case 'n': return '\n';
      case 't': return '\t';
      case 'r': return '\r';
      case 'b': return '\b';
      case 'f': return '\f';
      case 'u': rest_.remove_prefix(std::min<std::size_t>(4, rest_.size())); return '?';
      default: return c;
    }
  }
  bool take(char wanted) noexcept {
    skip_space();
    if (!rest_.starts_with(wanted)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool enter(char bracket) noexcept {
    if (depth_ == kDeepest || !take(bracket)) {
      fail();
      return false;
    }
    ++depth_;
    return true;
  }
  bool leave(char bracket) noexcept {
    if (!take(bracket)) return false;
    --depth_;
    return true;
  }

  std::string_view rest_;
  int depth_ = 0;
  bool failed_ = false;
};

PatroniMember read_member(Scanner& from) {
  PatroniMember out;
  const auto text = [&](std::string& target) {
    if (auto value = from.string()) {
      target = std::move(*value);
    } else {
      from.skip();
    }
  };
  from.object([&](const std::string& key) {
    if (key == "name") {
      text(out.name);
    } else if (key == "role") {
      text(out.role);
    } else if (key == "state") {
      text(out.state);
    } else if (key == "host") {
      text(out.host);
    } else if (key == "port") {
      out.port = from.number<std::uint16_t>().value_or(out.port);
    } else if (key == "timeline") {
      out.timeline = from.number<std::uint32_t>().value_or(0);
    } else {
      from.skip();
    }
  });
  return out;
}

}  // namespace

Result<std::vector<PatroniMember>> parse_patroni_cluster(std::string_view json) {
  std::vector<PatroniMember> out;
  Scanner scanner(json);
  bool has_members = false;
  scanner.object([&](const std::string& key) {
    if (key != "members") return scanner.skip();
    has_members = true;
    scanner.array([&] {
      PatroniMember member = read_member(scanner);
      if (!member.host.empty() && out.size() < kMostPatroniMembers) out.push_back(std::move(member));
    });
  });
  if (scanner.failed() || !scanner.at_end() || !has_members) {
    return Error(ErrorKind::Protocol, "the answer is not what Patroni's /cluster gives");
  }
  return out;
}

}  // namespace switchyard::inline v0::fleet
