#include "commands.hpp"
#include "doctor_checks.hpp"
#include "engine.hpp"
#include "fleet_choice.hpp"

#include <switchyard/http/json_writer.hpp>

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

namespace switchyard::cli {

namespace {

std::string_view name_of(Severity severity) {
  switch (severity) {
    case Severity::good: return "ok";
    case Severity::notice: return "note";
    case Severity::warning: return "warning";
    case Severity::problem: return "problem";
  }
  return "";
}

Tone tone_of(Severity severity) {
  switch (severity) {
    case Severity::good: return Tone::good;
    case Severity::notice: return Tone::quiet;
    case Severity::warning: return Tone::warn;
    case Severity::problem: return Tone::bad;
  }
  return Tone::plain;
}

/// In their order otherwise.
std::vector<Finding> worst_first(const std::vector<Finding>& findings) {
  std::vector<Finding> sorted;
  for (const Severity severity : {Severity::problem, Severity::warning, Severity::notice, Severity::good}) {
    std::ranges::copy_if(findings, std::back_inserter(sorted),
                         [&](const Finding& finding) { return finding.severity == severity; });
  }
  return sorted;
}

std::string as_json(const std::vector<Finding>& findings, const std::vector<BudgetLine>& budget) {
  http::JsonWriter json;
  json.begin_object().key("findings").begin_array();
  for (const Finding& finding : findings) {
    json.begin_object()
        .member("severity", name_of(finding.severity))
        .member("subject", finding.subject)
        .member("text", finding.text)
        .member_if("fix", finding.fix)
        .end_object();
  }
  json.end_array().key("budget").begin_array();
  for (const BudgetLine& line : budget) {
    json.begin_object()
        .member("subject", line.subject)
        .member("sum", line.sum)
        .member("wanted", line.wanted)
        .member("others", line.others)
        .member("open", line.open)
        .member("allowed", line.allowed)
        .member("because", line.because)
        .member("fits", line.fits)
        .member_if("fix", line.fix)
        .end_object();
  }
  json.end_array().end_object();
  return json.take();
}

std::string as_text(const std::vector<Finding>& findings, const Paint& paint) {
  std::size_t width = 0;
  for (const Finding& finding : findings) width = std::max(width, finding.subject.size());
  std::string out;
  for (const Finding& finding : findings) {
    std::string mark(name_of(finding.severity));
    mark.resize(7, ' ');
    out += paint(tone_of(finding.severity), mark) + "  " + finding.subject +
           std::string(width - finding.subject.size() + 2, ' ') + finding.text + '\n';
    if (!finding.fix.empty())
      out += std::string(width + 11, ' ') + paint(Tone::quiet, "fix: ") + finding.fix + '\n';
  }
  return out;
}

}  // namespace

ExitCode run_doctor(const GlobalOptions& global, const DoctorOptions& options, const Console& console) {
  auto choice = choose_fleet(global);
  if (!choice.ok()) return fail(console, choice.error());
  if (options.on && choice->config.find(*options.on) == nullptr) {
    auto resolved = choice->config.resolve(*options.on);
    if (!resolved.ok()) return fail(console, resolved.error().with_kind(ErrorKind::Usage));
  }
  std::vector<Finding> findings = check_configuration(choice->config);
  open_lazily(choice->config);
  std::vector<BudgetLine> budget;
  const auto look = [&](Fleet& fleet) -> Task<ExitCode> {
    Examination seen = co_await check_servers(fleet);
    std::ranges::move(seen.findings, std::back_inserter(findings));
    budget = std::move(seen.budget);
    co_return ExitCode::ok;
  };
  auto done = with_fleet(std::move(choice->config), look);
  if (!done.ok()) return fail(console, done.error());
  if (*done != ExitCode::ok) return *done;
  if (options.on) {
    std::erase_if(findings, [&](const Finding& finding) {
      return finding.subject != *options.on && !finding.subject.starts_with(*options.on + "/");
    });
  }
  findings = worst_first(findings);
  console.print(global.json ? as_json(findings, budget) : as_text(findings, console.out()));
  const auto problems = std::ranges::count(findings, Severity::problem, &Finding::severity);
  if (problems == 0) {
    if (!global.json) console.note(console.err()(Tone::good, "\nNo problem found."));
    return ExitCode::ok;
  }
  if (!global.json) console.note("\n" + std::to_string(problems) + (problems == 1 ? " problem." : " problems."));
  return ExitCode::failed;
}

}  // namespace switchyard::cli
