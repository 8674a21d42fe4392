#include "commands.hpp"
#include "engine.hpp"
#include "fleet_choice.hpp"

#include <switchyard/fleet/catalogue_reading.hpp>
#include <switchyard/http/json_writer.hpp>
#include <switchyard/sql/analyse.hpp>
#include <switchyard/sql/facts_cache.hpp>
#include <switchyard/sql/facts_text.hpp>
#include <switchyard/sql/safe_names.hpp>
#include <switchyard/sql/verdict.hpp>

#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::cli {

namespace {

/// Widest title below, and two spaces.
constexpr std::size_t kTitleWidth = 17;

/// No more than is analysed, and one byte to know that it is more.
std::string read_standard_input() {
  std::string text;
  for (std::istreambuf_iterator<char> in(std::cin), end; in != end && text.size() <= sql::kMaxAnalysedText; ++in) {
    text += *in;
  }
  return text;
}

std::string in_words(const sql::Name& name) { return to_string(name); }
std::string in_words(const std::string& name) { return name; }
std::string in_words(sql::Effect effect) { return std::string(to_string(effect)); }

std::string titled(std::string_view title, std::string_view text, const Paint& paint) {
  return "  " + paint(Tone::quiet, title) + std::string(kTitleWidth - title.size(), ' ') + std::string(text) + "\n";
}

template <class T>
std::string line_of(std::string_view title, const std::vector<T>& list, const Paint& paint) {
  if (list.empty()) return {};
  std::string text;
  for (const T& element : list) text += (text.empty() ? "" : ", ") + in_words(element);
  return titled(title, text, paint);
}

std::string yes_or_no(bool truth, const Paint& paint) {
  return truth ? paint(Tone::good, "yes") : paint(Tone::warn, "no");
}

std::string as_text(const sql::StatementFacts& facts, const sql::Verdict& verdict, const Paint& paint) {
  std::string out = paint(Tone::strong, to_string(facts.kind));
  if (facts.inner_kind != facts.kind) out += " of " + std::string(to_string(facts.inner_kind));
  out += facts.writes ? ", writes\n" : ", reads\n";
  if (!facts.why_unknown.empty()) out += titled("not understood", facts.why_unknown, paint);
  out += line_of("relations", facts.relations, paint);
  out += line_of("functions", facts.functions, paint);
  out += line_of("operators", facts.operators, paint);
  out += line_of("types", facts.types, paint);
  out += line_of("fields", facts.fields, paint);
  out += line_of("value functions", facts.value_functions, paint);
  out += line_of("effects", facts.effects, paint);
  out += line_of("constructs", facts.constructs, paint);
  if (facts.has_clock_constant) out += titled("constants", "one may mean the time of its Parse", paint);
  if (!facts.fingerprint.empty()) out += titled("fingerprint", facts.fingerprint, paint);

  out += "\nmay share a session  " + yes_or_no(verdict.may_share, paint);
  out += "\nmay share a Sync     " + yes_or_no(verdict.may_share_sync, paint);
  out += "\nmay be interned      " + yes_or_no(verdict.may_intern, paint) + "\n";
  for (const std::string& reason : verdict.reasons) out += "  " + reason + "\n";
  return out;
}

template <class T>
void add_list(http::JsonWriter& json, std::string_view name, const std::vector<T>& list) {
  json.key(name).begin_array();
  for (const T& element : list) json.value(in_words(element));
  json.end_array();
}

std::string as_json(const sql::StatementFacts& facts, const sql::Verdict& verdict) {
  http::JsonWriter json;
  json.begin_object()
      .member("kind", to_string(facts.kind))
      .member("inner_kind", to_string(facts.inner_kind))
      .member_if("why_unknown", facts.why_unknown)
      .member("writes", facts.writes);
  add_list(json, "relations", facts.relations);
  add_list(json, "functions", facts.functions);
  add_list(json, "operators", facts.operators);
  add_list(json, "types", facts.types);
  add_list(json, "fields", facts.fields);
  add_list(json, "value_functions", facts.value_functions);
  add_list(json, "effects", facts.effects);
  add_list(json, "constructs", facts.constructs);
  json.member("has_clock_constant", facts.has_clock_constant)
      .member_if("fingerprint", facts.fingerprint)
      .member("may_share", verdict.may_share)
      .member("may_share_sync", verdict.may_share_sync)
      .member("may_intern", verdict.may_intern);
  add_list(json, "reasons", verdict.reasons);
  json.end_object();
  return json.take();
}

}  // namespace

ExitCode run_sql_explain(const GlobalOptions& global, const SqlExplainOptions& options, const Console& console) {
  const auto facts =
      sql::FactsCache::of_process().analyse_now(options.sql == "-" ? read_standard_input() : options.sql);
  const auto tell = [&](const sql::CatalogueSnapshot* catalogue) {
    const sql::Verdict verdict = sql::judge(*facts, catalogue);
    console.print(global.json ? as_json(*facts, verdict) : as_text(*facts, verdict, console.out()));
  };
  if (!options.on) {
    tell(nullptr);
    console.note(console.err()(Tone::quiet,
                               "(from the text alone; what its names mean, and so whether it may share, "
                               "is decided in a database: --on)"));
    return ExitCode::ok;
  }
  auto choice = choose_fleet(global);
  if (!choice.ok()) return fail(console, choice.error());
  const auto known = choice->config.resolve(*options.on);
  if (!known.ok()) return fail(console, known.error().with_kind(ErrorKind::Usage));
  auto safe = sql::parse_safe_names(*known->database->lane_safe);
  if (!safe.ok()) return fail(console, safe.error());
  open_lazily(choice->config);
  const auto ended = with_fleet(std::move(choice->config), [&](Fleet& fleet) -> Task<ExitCode> {
    auto database = fleet.database(*options.on);
    if (!database.ok()) co_return fail(console, database.error());
    // Somebody sits and waits: a server that is away is told at once.
    Lease lease = co_await database->lease(fleet::OnConnectFailure::fail);
    const auto reading = co_await fleet::read_catalogue(lease, std::move(*safe));
    if (!reading.ok()) co_return fail(console, reading.error());
    tell(reading->snapshot.get());
    co_return ExitCode::ok;
  });
  return ended.ok() ? *ended : fail(console, ended.error());
}

}  // namespace switchyard::cli
