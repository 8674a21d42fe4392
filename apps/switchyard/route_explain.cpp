#include "commands.hpp"
#include "engine.hpp"
#include "fleet_choice.hpp"
#include "status_view.hpp"
#include "text_table.hpp"

#include <switchyard/fleet/route_explanation.hpp>
#include <switchyard/http/json_writer.hpp>

#include <optional>
#include <string>
#include <utility>

namespace switchyard::cli {

namespace {

/// Places that do not answer are given up after this long.
constexpr Duration kPatience = std::chrono::seconds(3);

double milliseconds(Duration value) { return std::chrono::duration<double, std::milli>(value).count(); }

std::string as_json(const RouteExplanation& explanation) {
  http::JsonWriter json;
  json.begin_object()
      .member("database", explanation.database)
      .member("location", explanation.location)
      .member("reason", explanation.reason)
      .member("lane", explanation.lane)
      .member("owner", explanation.owner)
      .key("candidates")
      .begin_array();
  for (const RouteCandidate& candidate : explanation.candidates) {
    json.begin_object()
        .member("name", candidate.name)
        .member("location", candidate.location)
        .member("chosen", candidate.chosen)
        .member("verdict", candidate.verdict);
    if (const auto& seen = candidate.seen) {
      json.member("role", seen->role)
          .member("reachable", seen->reachable)
          .member("timeline", seen->timeline)
          .member("lsn", seen->lsn)
          .member("rtt_ms", milliseconds(seen->rtt));
      if (seen->lag) json.member("lag_ms", milliseconds(*seen->lag));
      if (seen->lag_bytes) json.member("lag_bytes", *seen->lag_bytes);
      if (!seen->error.empty()) json.member("error", seen->error);
    }
    json.end_object();
  }
  json.end_array().end_object();
  return json.take() + "\n";
}

std::string as_text(const RouteExplanation& explanation, const Paint& paint) {
  std::string out = paint(Tone::strong, explanation.database) + "  " +
                    (explanation.location.empty() ? "nowhere" : explanation.location) + "\n  " +
                    explanation.reason + "\n" + (explanation.lane.empty() ? "" : "  " + explanation.lane + "\n") +
                    (explanation.owner.empty() ? "" : "  " + explanation.owner + "\n") + "\n";
  TextTable table({{""},
                   {"place"},
                   {"location"},
                   {"role"},
                   {"timeline", Align::right},
                   {"lsn"},
                   {"lag", Align::right},
                   {"round trip", Align::right},
                   {"verdict"}});
  for (const RouteCandidate& candidate : explanation.candidates) {
    const ReplicationStatus seen = candidate.seen.value_or(ReplicationStatus());
    table.add({candidate.chosen ? Cell("->", Tone::good) : Cell(""),
               candidate.name,
               candidate.location,
               seen.role,
               seen.timeline > 0 ? std::to_string(seen.timeline) : "",
               seen.lsn,
               seen.lag ? short_duration(*seen.lag) : "",
               seen.observed ? short_duration(seen.rtt) : "",
               {candidate.verdict, candidate.chosen ? Tone::good : Tone::plain}});
  }
  out += table.text(paint);
  for (const RouteCandidate& candidate : explanation.candidates) {
    if (candidate.seen && !candidate.seen->error.empty()) {
      out += "\n  " + paint(Tone::bad, candidate.name) + "  " + candidate.seen->error;
    }
  }
  return out.back() == '\n' ? out : out + "\n";
}

}  // namespace

ExitCode run_route_explain(const GlobalOptions& global, const RouteExplainOptions& options,
                           const Console& console) {
  auto choice = choose_fleet(global);
  if (!choice.ok()) return fail(console, choice.error());
  const std::string on = options.on.value_or("main");
  if (!options.on && choice->config.databases.size() > 1) {
    console.note(console.err()(Tone::quiet, "of main (--on chooses another)"));
  }
  open_lazily(choice->config);
  const auto ended = with_fleet(std::move(choice->config), [&](Fleet& fleet) -> Task<ExitCode> {
    const auto explanation = co_await fleet.explain_route(on,
                                                          {.read = options.read,
                                                           .replica = options.replica,
                                                           .max_lag = options.max_lag,
                                                           .sql = options.sql,
                                                           .min_lsn = options.min_lsn},
                                                          kPatience);
    if (!explanation.ok()) co_return fail(console, explanation.error());
    console.print(global.json ? as_json(*explanation) : as_text(*explanation, console.out()));
    co_return explanation->location.empty() ? ExitCode::unreachable : ExitCode::ok;
  });
  return ended.ok() ? *ended : fail(console, ended.error());
}

}  // namespace switchyard::cli
