#include "commands.hpp"
#include "fleet_report.hpp"
#include "status_view.hpp"

#include <switchyard/base/units.hpp>
#include <switchyard/http/documents.hpp>

#include <chrono>
#include <thread>

namespace switchyard::cli {

namespace {

std::string title(const FleetReport& report, const Console& console) {
  const FleetStatus& status = report.status;
  const http::Verdict verdict = http::judge(status, report.health);
  const Tone tone = verdict == http::Verdict::pass   ? Tone::good
                    : verdict == http::Verdict::warn ? Tone::warn
                                                     : Tone::bad;
  const char* word = verdict == http::Verdict::pass   ? "all serve"
                     : verdict == http::Verdict::warn ? "something optional is down"
                                                      : "a required database is down";
  std::string text = console.out()(Tone::strong, status.application);
  if (report.running) {
    text += "  up " + format_duration(std::chrono::duration_cast<std::chrono::seconds>(status.uptime)) + "  pid " +
            std::to_string(report.running->pid) + "  http://" + report.running->http;
  } else {
    text += "  not run by `switchyard up`; the configured databases, looked at directly";
  }
  return text + "  " + console.out()(tone, word) + "\n\n";
}

void show(const FleetReport& report, const GlobalOptions& global, const Console& console) {
  if (global.json) {
    console.print(http::fleet_json(report.status));
  } else {
    console.print(title(report, console) +
                  status_view(report.status, report.health, console.out(), console.width()));
  }
}

}  // namespace

ExitCode run_status(const GlobalOptions& global, const StatusOptions& options, const Console& console) {
  auto report = look_at_fleet(global);
  if (!report.ok()) return fail(console, report.error());
  if (!options.watch) {
    show(*report, global, console);
    return ExitCode::ok;
  }
  for (;;) {
    // On a terminal each picture replaces the one before; elsewhere they follow each other.
    if (console.out_is_terminal() && !global.json) console.print("\033[H\033[2J");
    show(*report, global, console);
    std::this_thread::sleep_for(options.interval);
    report = report->running ? look_again(*report->running) : look_at_fleet(global);
    if (!report.ok()) return fail(console, report.error());
  }
}

}  // namespace switchyard::cli
