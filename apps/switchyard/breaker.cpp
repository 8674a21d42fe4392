#include "commands.hpp"
#include "fleet_choice.hpp"
#include "http_client.hpp"
#include "json_reader.hpp"
#include "text_table.hpp"

#include <switchyard/base/units.hpp>
#include <switchyard/http/breaker_route.hpp>

#include <string>
#include <vector>

namespace switchyard::cli {

namespace {

constexpr std::size_t kWhyWidth = 60;
constexpr unsigned kNotFound = 404;

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return out;
}

std::string target_of(const BreakerOptions& options) {
  std::string target(http::kBreakerPath);
  char separator = '?';
  const auto add = [&](std::string_view name, const std::optional<std::string>& value) {
    if (!value) return;
    target += separator;
    target += std::string(name) + "=" + percent_encoded(*value);
    separator = '&';
  };
  add("database", options.on);
  if (!options.command.empty()) add("command", options.command);
  add("replica", options.replica);
  add("access", options.access);
  return target;
}

std::string breaker_view(const std::vector<NamedBreaker>& breakers, const Console& console) {
  TextTable table({{"database"},
                   {"endpoint"},
                   {"access"},
                   {"state"},
                   {"failed/calls", Align::right},
                   {"refused", Align::right},
                   {"why"}});
  std::string_view before;
  for (const NamedBreaker& one : breakers) {
    const BreakerReport& breaker = one.report;
    const std::string state = breaker.mode == "automatic" ? breaker.state : breaker.state + ", " + breaker.mode;
    std::string why = breaker.state == "CLOSED" && breaker.mode == "automatic" ? "" : breaker.why;
    if (breaker.state != "CLOSED" && breaker.trial_in)
      why += "; next trial in " + format_duration(*breaker.trial_in);
    table.add({{one.database == before ? "" : one.database, Tone::strong},
               breaker.endpoint,
               breaker.access,
               {state, breaker.state == "CLOSED" ? Tone::good : Tone::bad},
               std::to_string(breaker.failed) + "/" + std::to_string(breaker.calls),
               std::to_string(breaker.refused),
               fit(why, kWhyWidth)});
    before = one.database;
  }
  return table.text(console.out());
}

}  // namespace

ExitCode run_breaker(const GlobalOptions& global, const BreakerOptions& options, const Console& console) {
  auto running = choose_running_fleet(global);
  if (!running.ok()) return fail(console, running.error());
  if (!*running) {
    return fail(console, Error(ErrorKind::Unavailable, "no fleet runs: breakers live in the process that uses them")
                             .with_hint("switchyard up starts one"));
  }
  const std::string target = target_of(options);
  const auto answer =
      options.command.empty() ? http_get((*running)->http, target) : http_command((*running)->http, target);
  if (!answer.ok()) return fail(console, answer.error());
  if (answer->status != 200) {
    const ErrorKind kind = answer->status == kNotFound ? ErrorKind::Usage : ErrorKind::Unavailable;
    return fail(console, read_problem(answer->body, kind));
  }
  if (global.json) {
    console.print(answer->body);
    return ExitCode::ok;
  }
  const auto breakers = read_breakers(answer->body);
  if (!breakers.ok()) return fail(console, breakers.error());
  console.print(breaker_view(*breakers, console));
  return ExitCode::ok;
}

}  // namespace switchyard::cli
