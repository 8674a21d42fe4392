#include <switchyard/base/ascii.hpp>
#include <switchyard/gateway/console_command.hpp>
#include <switchyard/protocol/error_fields.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

using base::equal_ignoring_case;

struct VerbName {
  std::string_view name;
  ConsoleVerb verb;
  enum class Argument : std::uint8_t { none, optional } argument;
};
using enum VerbName::Argument;

constexpr std::array kVerbs{
    VerbName{"disable", ConsoleVerb::disable, optional},
    VerbName{"enable", ConsoleVerb::enable, optional},
    VerbName{"kill", ConsoleVerb::kill, optional},
    VerbName{"kill_client", ConsoleVerb::kill_client, optional},
    VerbName{"pause", ConsoleVerb::pause, optional},
    VerbName{"reconnect", ConsoleVerb::reconnect, optional},
    VerbName{"reload", ConsoleVerb::reload, none},
    VerbName{"resume", ConsoleVerb::resume, optional},
    VerbName{"shutdown", ConsoleVerb::shutdown, optional},
    VerbName{"suspend", ConsoleVerb::suspend, none},
    VerbName{"wait_close", ConsoleVerb::wait_close, optional},
};

constexpr std::array<std::pair<std::string_view, ConsoleTable>, 24> kTables{{
    {"active_sockets", ConsoleTable::active_sockets},
    {"clients", ConsoleTable::clients},
    {"config", ConsoleTable::config},
    {"databases", ConsoleTable::databases},
    {"dns_hosts", ConsoleTable::dns_hosts},
    {"dns_zones", ConsoleTable::dns_zones},
    {"fds", ConsoleTable::fds},
    {"help", ConsoleTable::help},
    {"lanes", ConsoleTable::lanes},
    {"lists", ConsoleTable::lists},
    {"mem", ConsoleTable::mem},
    {"peers", ConsoleTable::peers},
    {"peer_pools", ConsoleTable::peer_pools},
    {"pools", ConsoleTable::pools},
    {"prepared_statements", ConsoleTable::prepared_statements},
    {"servers", ConsoleTable::servers},
    {"sockets", ConsoleTable::sockets},
    {"state", ConsoleTable::state},
    {"stats", ConsoleTable::stats},
    {"stats_averages", ConsoleTable::stats_averages},
    {"stats_totals", ConsoleTable::stats_totals},
    {"totals", ConsoleTable::totals},
    {"users", ConsoleTable::users},
    {"version", ConsoleTable::version},
}};

struct Pretended {
  std::string_view name;
  const char* value;
};
constexpr std::array kPretended{
    Pretended{"application_name", ""},
    Pretended{"bytea_output", "hex"},
    Pretended{"client_encoding", "UTF8"},
    Pretended{"client_min_messages", "notice"},
    Pretended{"datestyle", "ISO"},
    Pretended{"default_transaction_isolation", "read committed"},
    Pretended{"extra_float_digits", "1"},
    Pretended{"intervalstyle", "postgres"},
    Pretended{"search_path", ""},
    Pretended{"standard_conforming_strings", "on"},
    Pretended{"timezone", "GMT"},
    Pretended{"transaction_isolation", "read committed"},
    Pretended{"transaction_read_only", "off"},
};

bool is_word_character(char c) noexcept { return base::is_letter(c) || base::is_digit(c) || c == '_'; }

/// Reads the text from left to right.
class Reader {
 public:
  explicit Reader(std::string_view text) noexcept : rest_(text) {}

  /// Blanks, and comments as SQL has them. False: a comment does not end.
  bool skip_blanks() noexcept {
    for (;;) {
      while (!rest_.empty() && std::string_view(" \t\n\r\f\v").contains(rest_.front())) rest_.remove_prefix(1);
      if (rest_.starts_with("--")) {
        const std::size_t end = rest_.find('\n');
        rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end);
      } else if (rest_.starts_with("/*")) {
        const std::size_t end = rest_.find("*/", 2);
        if (end == std::string_view::npos) return false;
        rest_.remove_prefix(end + 2);
      } else {
        return true;
      }
    }
  }
  /// [0-9a-z_]+ as it is written.
  std::string_view bare_word() noexcept {
    std::size_t size = 0;
    while (size < rest_.size() && is_word_character(rest_[size])) ++size;
    const std::string_view word = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return word;
  }
  /// A text in quotes, one within written twice. Nothing if it does not end.
  std::optional<std::string> quoted(char quote) {
    std::string out;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == quote) {
        if (i + 1 == rest_.size() || rest_[i + 1] != quote) {
          rest_.remove_prefix(i + 1);
          return out;
        }
        ++i;
      }
      out += rest_[i];
    }
    return std::nullopt;
  }
  /// A word, or one in double quotes. Nothing if there is none.
  std::optional<std::string> word() {
    if (starts_with('"')) return quoted('"');
    const std::string_view bare = bare_word();
    if (bare.empty()) return std::nullopt;
    return std::string(bare);
  }
  [[nodiscard]] bool starts_with(char c) const noexcept { return rest_.starts_with(c); }
  bool take(char c) noexcept {
    if (!starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  [[nodiscard]] std::string_view rest() const noexcept { return rest_; }
  /// Nothing but blanks and one semicolon follow.
  bool at_end() noexcept {
    if (!skip_blanks()) return false;
    if (take(';') && !skip_blanks()) return false;
    return rest_.empty();
  }

 private:
  std::string_view rest_;
};

Error invalid(std::string_view text) {
  return console_error("invalid command '" + std::string(text) + "', use SHOW HELP;");
}

Error bad_arguments() { return console_error("bad arguments"); }

Result<ConsoleCommand> parse_set(Reader& reader, std::string_view text) {
  ConsoleCommand command{.verb = ConsoleVerb::set, .table = {}, .argument = {}, .value = {}};
  if (!reader.skip_blanks()) return invalid(text);
  std::optional<std::string> key = reader.word();
  if (key && equal_ignoring_case(*key, "session")) {  // SET SESSION x, SET SESSION CHARACTERISTICS ...
    Reader ahead = reader;
    if (ahead.skip_blanks() && equal_ignoring_case(ahead.bare_word(), "characteristics")) {
      command.argument = "transaction_isolation";
      return command;
    }
    if (!reader.skip_blanks()) return invalid(text);
    key = reader.word();
  }
  if (!key || !reader.skip_blanks()) return invalid(text);
  if (!reader.take('=')) {
    if (!equal_ignoring_case(reader.bare_word(), "to")) return invalid(text);
  }
  if (!reader.skip_blanks()) return invalid(text);
  if (reader.starts_with('\'')) {
    std::optional<std::string> value = reader.quoted('\'');
    if (!value) return invalid(text);
    command.value = *std::move(value);
  } else {
    // Numbers with a sign or a point too, which drivers write without quotes.
    const bool negative = reader.take('-');
    std::optional<std::string> value = reader.word();
    if (!value) return invalid(text);
    command.value = (negative ? "-" : "") + *std::move(value);
    if (reader.take('.')) command.value += "." + std::string(reader.bare_word());
  }
  if (!reader.at_end()) return invalid(text);
  if (key->empty() || key->size() > kMaxConsoleName || command.value.size() > kMaxConsoleValue) {
    return bad_arguments();
  }
  command.argument = *std::move(key);
  return command;
}

Result<ConsoleCommand> parse_show(std::string argument, std::string_view text, bool select) {
  ConsoleCommand command{.verb = ConsoleVerb::show, .table = {}, .argument = {}, .value = {}};
  if (select && argument == "1") {
    command.verb = ConsoleVerb::ping;
    return command;
  }
  for (const auto& [name, table] : kTables) {
    if (equal_ignoring_case(name, argument)) {
      command.table = table;
      return command;
    }
  }
  if (pretended_setting(argument) == nullptr) return invalid(text);
  command.table = ConsoleTable::setting;
  std::ranges::transform(argument, argument.begin(), base::to_lower);
  command.argument = std::move(argument);
  return command;
}

/// What drivers say of transactions and prepared statements.
std::optional<ConsoleVerb> driver_verb(std::string_view word, std::string_view argument) noexcept {
  if (equal_ignoring_case(word, "begin") ||
      (equal_ignoring_case(word, "start") && equal_ignoring_case(argument, "transaction")))
    return ConsoleVerb::begin;
  if (equal_ignoring_case(word, "commit") || equal_ignoring_case(word, "end")) return ConsoleVerb::commit;
  if (equal_ignoring_case(word, "rollback") || equal_ignoring_case(word, "abort")) return ConsoleVerb::rollback;
  if (equal_ignoring_case(argument, "all") &&
      (equal_ignoring_case(word, "discard") || equal_ignoring_case(word, "deallocate")))
    return ConsoleVerb::discard;
  return std::nullopt;
}

}  // namespace

Error console_error(std::string message, std::string_view sqlstate) {
  return Error(protocol::make_fields("ERROR", sqlstate, std::move(message)), ErrorStage::queued);
}

const char* pretended_setting(std::string_view name) noexcept {
  for (const Pretended& setting : kPretended) {
    if (equal_ignoring_case(setting.name, name)) return setting.value;
  }
  return nullptr;
}

Result<ConsoleCommand> parse_console_command(std::string_view text) {
  if (text.size() > kMaxConsoleText) {
    return console_error("command is longer than " + std::to_string(kMaxConsoleText) + " bytes");
  }
  Reader reader(text);
  if (!reader.skip_blanks()) return invalid(text);
  if (reader.at_end()) return ConsoleCommand();
  const std::optional<std::string> word = reader.word();
  if (!word) return invalid(text);
  if (equal_ignoring_case(*word, "set")) return parse_set(reader, text);
  if (!reader.skip_blanks()) return invalid(text);
  std::string argument = reader.word().value_or("");
  const std::optional<ConsoleVerb> of_drivers = driver_verb(*word, argument);
  // BEGIN ISOLATION LEVEL ..., START TRANSACTION READ ONLY: whatever they say makes no difference here.
  if (of_drivers == ConsoleVerb::begin && !reader.rest().contains(';')) {
    return ConsoleCommand{.verb = *of_drivers, .table = {}, .argument = {}, .value = {}};
  }
  if (!reader.at_end()) return invalid(text);
  if (argument.size() > kMaxConsoleName) return bad_arguments();
  if (of_drivers) {
    ConsoleCommand command{.verb = *of_drivers, .table = {}, .argument = {}, .value = {}};
    if (*of_drivers == ConsoleVerb::discard)
      command.argument = equal_ignoring_case(*word, "discard") ? "DISCARD ALL" : "DEALLOCATE ALL";
    return command;
  }
  if (equal_ignoring_case(*word, "show") || equal_ignoring_case(*word, "select")) {
    return parse_show(std::move(argument), text, equal_ignoring_case(*word, "select"));
  }
  for (const VerbName& verb : kVerbs) {
    if (!equal_ignoring_case(verb.name, *word)) continue;
    if (verb.argument == none && !argument.empty()) return invalid(text);
    if (verb.verb == ConsoleVerb::shutdown && !argument.empty() &&
        !equal_ignoring_case(argument, "wait_for_servers") && !equal_ignoring_case(argument, "wait_for_clients")) {
      return invalid(text);
    }
    return ConsoleCommand{.verb = verb.verb, .table = {}, .argument = std::move(argument), .value = {}};
  }
  return invalid(text);
}

}  // namespace switchyard::inline v0::gateway
