#include <switchyard/config/connection_grammar.hpp>

#include <switchyard/base/ascii.hpp>
#include <switchyard/base/suggest.hpp>
#include <switchyard/config/connection_string.hpp>

#include <algorithm>
#include <array>
#include <optional>

namespace switchyard::inline v0::config {
namespace {

constexpr std::string_view kPercentHint =
    "in a URI write special characters of user name and password percent-encoded: %40 for '@', %3A for ':', "
    "%2F for '/', %3F for '?', %25 for '%'";
/// Longest accepted text: far beyond any real string, small enough to bound the work.
constexpr std::size_t kLongestText = 64 * 1024;

std::string at_position(std::size_t offset) { return " at position " + std::to_string(offset + 1); }

Error grammar_error(std::string message) { return Error(ErrorKind::Config, "connection string: " + message); }

bool is_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

bool is_known(std::string_view keyword) {
  const auto& known = connection_keywords();
  return std::find(known.begin(), known.end(), keyword) != known.end();
}

enum class Quote : bool { no, yes };  // may the unknown word be shown?

Error unknown_option(std::string_view keyword, std::size_t offset, Quote quote) {
  const std::string suggestion = did_you_mean(keyword, connection_keywords());
  std::string message = "unknown option";
  if (quote == Quote::yes && is_word(keyword)) message += " '" + std::string(keyword) + "'";
  Error error = grammar_error(message + at_position(offset));
  if (quote == Quote::yes && !suggestion.empty()) return error.with_hint(suggestion);
  return error;
}

// ---- keyword = value ------------------------------------------------------------------------------------------

class KeywordParser {
 public:
  explicit KeywordParser(std::string_view text) : text_(text) {}

  Result<ConnectionGrammar> run() {
    skip_spaces();
    while (at_ < text_.size()) {
      SY_TRY(pair());
      skip_spaces();
    }
    return std::move(out_);
  }

 private:
  void skip_spaces() {
    while (at_ < text_.size() && base::is_space(text_[at_])) ++at_;
  }

  Result<void> pair() {
    const std::size_t name_at = at_;
    while (at_ < text_.size() && text_[at_] != '=' && !base::is_space(text_[at_])) ++at_;
    const std::string_view name = text_.substr(name_at, at_ - name_at);
    skip_spaces();
    if (at_ == text_.size() || text_[at_] != '=') {
      const bool show = !after_secret_ && is_known(name);
      Error error = grammar_error("missing '=' after the " +
                                  (show ? "option '" + std::string(name) + "'" : "word") + at_position(name_at));
      return error.with_hint(after_secret_ ? "quote a value with spaces: password='my secret'"
                                           : "write keyword=value pairs, or a URI: postgresql://user@host/dbname");
    }
    ++at_;
    skip_spaces();
    ConnectionToken token;
    token.keyword = std::string(name);
    token.begin = at_;
    if (at_ < text_.size() && text_[at_] == '\'') {
      ++at_;
      if (!quoted(token.value)) {
        return grammar_error("the quoted value that starts" + at_position(token.begin) + " has no closing quote");
      }
    } else {
      bare(token.value);
    }
    token.end = at_;
    if (name == "requiressl") {  // of libpq before 7.4
      token.keyword = "sslmode";
      token.value = token.value.starts_with('1') ? "require" : "prefer";
    } else if (!is_known(name)) {
      return unknown_option(name, name_at, after_secret_ ? Quote::no : Quote::yes);
    }
    after_secret_ = is_secret_keyword(token.keyword);
    out_.tokens.push_back(std::move(token));
    return {};
  }

  void bare(std::string& value) {
    while (at_ < text_.size() && !base::is_space(text_[at_])) {
      if (text_[at_] == '\\' && ++at_ == text_.size()) return;
      value += text_[at_++];
    }
  }

  bool quoted(std::string& value) {
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '\'') return true;
      if (c != '\\') {
        value += c;
      } else if (at_ < text_.size()) {
        value += text_[at_++];
      }
    }
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool after_secret_ = false;  // an unquoted secret with a space in it would continue in the next word
  ConnectionGrammar out_;
};

// ---- URI ------------------------------------------------------------------------------------------------------

enum class Dialect { libpq, jdbc };

struct JdbcName {
  std::string_view jdbc;
  std::string_view keyword;  // empty: understood, without a meaning here
};

// Connection parameters of the JDBC driver that are not libpq's; the driver compares them exactly.
constexpr std::array kJdbcNames{
    JdbcName{"ApplicationName", "application_name"},
    JdbcName{"connectTimeout", "connect_timeout"},
    JdbcName{"loginTimeout", "connect_timeout"},
    JdbcName{"channelBinding", "channel_binding"},
    JdbcName{"sslNegotiation", "sslnegotiation"},
    JdbcName{"gssEncMode", "gssencmode"},
    JdbcName{"requireAuth", "require_auth"},
    JdbcName{"kerberosServerName", "krbsrvname"},
    JdbcName{"targetServerType", ""},  // translated by value
    JdbcName{"loadBalanceHosts", ""},  // translated by value
    JdbcName{"tcpKeepAlive", ""},      // translated by value
    JdbcName{"socketTimeout", ""},
    JdbcName{"cancelSignalTimeout", ""},
    JdbcName{"prepareThreshold", ""},
    JdbcName{"preparedStatementCacheQueries", ""},
    JdbcName{"preparedStatementCacheSizeMiB", ""},
    JdbcName{"defaultRowFetchSize", ""},
    JdbcName{"binaryTransfer", ""},
    JdbcName{"reWriteBatchedInserts", ""},
    JdbcName{"stringtype", ""},
    JdbcName{"autosave", ""},
    JdbcName{"readOnly", ""},
    JdbcName{"readOnlyMode", ""},
    JdbcName{"preferQueryMode", ""},
    JdbcName{"hostRecheckSeconds", ""},
    JdbcName{"logUnclosedConnections", ""},
    JdbcName{"assumeMinServerVersion", ""},
    JdbcName{"quoteReturningIdentifiers", ""},
    JdbcName{"escapeSyntaxCallMode", ""},
    JdbcName{"sslfactory", ""},
};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

class UriParser {
 public:
  UriParser(std::string_view text, std::size_t start, Dialect dialect)
      : text_(text), at_(start), dialect_(dialect), authority_(start) {}

  Result<ConnectionGrammar> run() {
    SY_TRY(credentials());
    SY_TRY(hosts());
    if (at_ < text_.size() && text_[at_] == '/') {
      const std::size_t begin = ++at_;
      at_ = std::min(text_.find('?', at_), text_.size());
      if (at_ > begin) SY_TRY(store("dbname", begin, at_));
    }
    if (at_ < text_.size()) {
      ++at_;
      SY_TRY(parameters());
    }
    SY_TRY(finish_jdbc());
    return std::move(out_);
  }

 private:
  /// user:password@ exists if an '@' comes before the first '/'.
  Result<void> credentials() {
    const std::size_t stop = text_.find_first_of("@/", at_);
    has_credentials_ = stop != std::string_view::npos && text_[stop] == '@';
    if (!has_credentials_) return {};
    const std::size_t user_end = text_.find_first_of(":@", at_);
    if (user_end > at_) SY_TRY(store("user", at_, user_end));
    if (text_[user_end] == ':') {
      at_ = text_.find('@', user_end);
      if (at_ > user_end + 1) SY_TRY(store("password", user_end + 1, at_));
    } else {
      at_ = user_end;
    }
    ++at_;
    return {};
  }

  Result<void> hosts() {
    const std::size_t hosts_at = at_;
    std::string hosts, ports;
    for (;;) {
      if (at_ < text_.size() && text_[at_] == '[') {
        const std::size_t begin = at_ + 1;
        const std::size_t end = text_.find(']', begin);
        if (end == std::string_view::npos) {
          return grammar_error("the IPv6 address that starts" + at_position(at_) + " has no closing ']'")
              .with_hint("write an IPv6 address as [::1]");
        }
        if (end == begin) return grammar_error("the IPv6 address" + at_position(at_) + " is empty");
        hosts += text_.substr(begin, end - begin);
        at_ = end + 1;
        if (at_ < text_.size() && std::string_view(":/?,").find(text_[at_]) == std::string_view::npos) {
          return grammar_error("unexpected character" + at_position(at_) +
                               ": after an IPv6 address ':', ',', '/' or "
                               "'?' is expected");
        }
      } else {
        const std::size_t end = std::min(text_.find_first_of(":/?,", at_), text_.size());
        hosts += text_.substr(at_, end - at_);
        at_ = end;
      }
      if (at_ < text_.size() && text_[at_] == ':') {
        const std::size_t end = std::min(text_.find_first_of("/?,", at_ + 1), text_.size());
        ports += text_.substr(at_ + 1, end - at_ - 1);
        at_ = end;
      }
      if (at_ == text_.size() || text_[at_] != ',') break;
      ++at_;
      hosts += ',';
      ports += ',';
    }
    if (!hosts.empty()) SY_TRY(store_decoded("host", hosts, hosts_at));
    if (!ports.empty()) SY_TRY(store_decoded("port", ports, hosts_at));
    return {};
  }

  Result<void> parameters() {
    while (at_ < text_.size()) {
      const std::size_t begin = at_;
      const std::size_t end = std::min(text_.find('&', begin), text_.size());
      const std::size_t equals = text_.substr(0, end).find('=', begin);
      at_ = std::min(end + 1, text_.size());
      if (equals == std::string_view::npos) {
        if (dialect_ == Dialect::jdbc) {
          SY_TRY(parameter(begin, end, end, end));
          continue;
        }
        return grammar_error("the URI parameter" + at_position(begin) + " has no '='");
      }
      if (text_.substr(0, end).find('=', equals + 1) != std::string_view::npos) {
        return grammar_error("the URI parameter" + at_position(begin) + " has more than one '='")
            .with_hint("write '=' inside a value as %3D");
      }
      SY_TRY(parameter(begin, equals, equals + 1, end));
    }
    return {};
  }

  Result<void> parameter(std::size_t begin, std::size_t name_end, std::size_t value_begin, std::size_t value_end) {
    ConnectionToken token;
    token.begin = value_begin;
    token.end = value_end;
    SY_TRY(decode(text_.substr(begin, name_end - begin), begin, token.keyword));
    SY_TRY(decode(text_.substr(value_begin, value_end - value_begin), value_begin, token.value));
    if (dialect_ == Dialect::jdbc && jdbc_parameter(token)) return {};
    if (token.keyword == "ssl" && token.value == "true") {
      token.keyword = "sslmode";
      token.value = "require";
    } else if (token.keyword == "requiressl") {
      token.keyword = "sslmode";
      token.value = token.value.starts_with('1') ? "require" : "prefer";
    }
    if (token.keyword != "currentSchema" && !is_known(token.keyword)) {
      Error error = unknown_option(token.keyword, begin, suspicious() ? Quote::no : Quote::yes);
      return error.hint().empty() && suspicious() ? error.with_hint(std::string(kPercentHint)) : error;
    }
    out_.tokens.push_back(std::move(token));
    return {};
  }

  /// True if the parameter is dealt with.
  bool jdbc_parameter(ConnectionToken& token) {
    if (token.keyword == "ssl") {
      // An explicit sslmode wins, wherever it stands.
      if (token.value.empty() || token.value == "true") ssl_ = token;
      return true;
    }
    const auto* name = std::find_if(kJdbcNames.begin(), kJdbcNames.end(),
                                    [&](const JdbcName& n) { return n.jdbc == token.keyword; });
    if (name == kJdbcNames.end()) return false;
    if (token.keyword == "targetServerType") {
      static constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kTypes{
          {{"any", "any"},
           {"primary", "primary"},
           {"master", "primary"},
           {"secondary", "standby"},
           {"slave", "standby"},
           {"preferSecondary", "prefer-standby"},
           {"preferSlave", "prefer-standby"},
           {"preferPrimary", "any"},
           {"preferMaster", "any"}}};
      token.keyword = "target_session_attrs";
      for (const auto& [jdbc, ours] : kTypes) {
        if (jdbc == token.value) {
          token.value = std::string(ours);
          break;
        }
      }
    } else if (token.keyword == "loadBalanceHosts") {
      token.keyword = "load_balance_hosts";
      token.value = token.value == "true" ? "random" : "disable";
    } else if (token.keyword == "tcpKeepAlive") {
      token.keyword = "keepalives";
      token.value = token.value == "true" ? "1" : "0";
    } else if (name->keyword.empty()) {
      out_.ignored.push_back(token.keyword);
      return true;
    } else {
      token.keyword = std::string(name->keyword);
    }
    out_.tokens.push_back(std::move(token));
    return true;
  }

  Result<void> finish_jdbc() {
    if (dialect_ != Dialect::jdbc) return {};
    const auto given = [&](std::string_view keyword) {
      return std::any_of(out_.tokens.begin(), out_.tokens.end(),
                         [&](const ConnectionToken& t) { return t.keyword == keyword; });
    };
    if (ssl_ && !given("sslmode")) {
      ssl_->keyword = "sslmode";
      ssl_->value = "require";
      out_.tokens.push_back(std::move(*ssl_));
    }
    if (!given("host")) out_.tokens.push_back({"host", "localhost", 0, 0});  // the driver's default
    return {};
  }

  Result<void> store(std::string_view keyword, std::size_t begin, std::size_t end) {
    ConnectionToken token;
    token.keyword = std::string(keyword);
    token.begin = begin;
    token.end = end;
    SY_TRY(decode(text_.substr(begin, end - begin), begin, token.value));
    out_.tokens.push_back(std::move(token));
    return {};
  }

  /// Hosts and ports are collected from several places.
  Result<void> store_decoded(std::string_view keyword, std::string_view raw, std::size_t offset) {
    ConnectionToken token;
    token.keyword = std::string(keyword);
    token.begin = token.end = offset;
    SY_TRY(decode(raw, offset, token.value));
    out_.tokens.push_back(std::move(token));
    return {};
  }

  static Result<void> decode(std::string_view raw, std::size_t offset, std::string& out) {
    for (std::size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] != '%') {
        out += raw[i];
        continue;
      }
      const int high = i + 1 < raw.size() ? hex_digit(raw[i + 1]) : -1;
      const int low = i + 2 < raw.size() ? hex_digit(raw[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return grammar_error("'%'" + at_position(offset + i) + " is not followed by two hexadecimal digits")
            .with_hint("write a literal '%' as %25");
      }
      if (high == 0 && low == 0) return grammar_error("%00" + at_position(offset + i) + " is forbidden");
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
    return {};
  }

  /// A '@' where none belongs: the text before it may be a password that was not encoded.
  [[nodiscard]] bool suspicious() const {
    const auto count = std::count(text_.begin() + static_cast<std::ptrdiff_t>(authority_), text_.end(), '@');
    return count > (has_credentials_ ? 1 : 0);
  }

  std::string_view text_;
  std::size_t at_;
  Dialect dialect_;
  std::size_t authority_;
  bool has_credentials_ = false;
  std::optional<ConnectionToken> ssl_;
  ConnectionGrammar out_;
};

constexpr std::string_view kLong = "postgresql";
constexpr std::string_view kShort = "postgres";
constexpr std::string_view kJdbc = "jdbc:";

/// "scheme://" at the front of the text, without "://"; empty if there is none.
std::string_view scheme_of(std::string_view text) {
  std::size_t n = 0;
  const auto part = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '-' ||
           c == '.' || c == '_';
  };
  while (n < text.size() && part(text[n])) ++n;
  return n > 0 && text.substr(n).starts_with("://") ? text.substr(0, n) : std::string_view();
}

/// postgresql, postgres, and either with "+driver".
bool is_our_scheme(std::string_view scheme) {
  const std::size_t plus = scheme.find('+');
  const std::string_view name = scheme.substr(0, plus);
  if (plus != std::string_view::npos && plus + 1 == scheme.size()) return false;
  return name == kLong || name == kShort;
}

}  // namespace

Result<ConnectionGrammar> parse_connection_grammar(std::string_view text) {
  if (text.size() > kLongestText) {
    return grammar_error("it is " + std::to_string(text.size()) + " bytes long; the limit is " +
                         std::to_string(kLongestText));
  }
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos) {
    return grammar_error("a zero byte" + at_position(zero) + " is forbidden");
  }
  if (text.starts_with(kJdbc)) {
    const std::string_view rest = text.substr(kJdbc.size());
    if (rest.starts_with("postgresql://")) {
      return UriParser(text, kJdbc.size() + kLong.size() + 3, Dialect::jdbc).run();
    }
    if (rest.starts_with("postgresql:")) {  // jdbc:postgresql:database, jdbc:postgresql:/
      const std::string path(rest.substr(kLong.size() + 1));
      // The same text with an empty authority; positions shift by what is inserted, spans stay inside.
      const std::string uri = "jdbc:postgresql://" + std::string(path.starts_with('/') ? "" : "/") + path;
      auto result = UriParser(uri, kJdbc.size() + kLong.size() + 3, Dialect::jdbc).run();
      if (result.ok()) {
        const std::size_t shift = uri.size() - text.size();
        for (ConnectionToken& token : result->tokens) {
          token.begin -= std::min(shift, token.begin);
          token.end -= std::min(shift, token.end);
        }
      }
      return result;
    }
    return grammar_error("it starts with 'jdbc:' but not with 'jdbc:postgresql:'")
        .with_hint("write jdbc:postgresql://host:port/dbname");
  }
  const std::string_view scheme = scheme_of(text);
  if (is_our_scheme(scheme)) return UriParser(text, scheme.size() + 3, Dialect::libpq).run();
  if (!scheme.empty()) {
    static constexpr std::array<std::string_view, 2> kSchemes{kLong, kShort};
    const std::string suggestion = did_you_mean(scheme.substr(0, scheme.find('+')), kSchemes);
    return grammar_error("unknown scheme '" + std::string(scheme) + "://'")
        .with_hint(suggestion.empty() ? "a URI starts with postgresql://" : suggestion);
  }
  return KeywordParser(text).run();
}

}  // namespace switchyard::inline v0::config
