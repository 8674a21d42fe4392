#include "move.hpp"
#include "status_view.hpp"
#include "text_table.hpp"

#include <switchyard/base/units.hpp>
#include <switchyard/http/json_writer.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace switchyard::cli {

namespace {

/// A line is drawn again no sooner.
constexpr std::chrono::milliseconds kDrawEvery{100};
/// Where nobody looks at a terminal, a line of its own so often.
constexpr std::chrono::seconds kTellEvery{10};
constexpr std::size_t kBar = 20;

std::string bar(std::uint64_t done, std::uint64_t total) {
  const std::size_t full = total == 0 ? 0 : std::min<std::size_t>(kBar, done * kBar / total);
  return "[" + std::string(full, '#') + std::string(kBar - full, '.') + "]";
}

double milliseconds(Duration value) { return std::chrono::duration<double, std::milli>(value).count(); }

void write(http::JsonWriter& json, const move::MoveReport& report) {
  json.begin_object()
      .member("name", report.name)
      .member("phase", move::to_string(report.phase))
      .member("from", report.from)
      .member("to", report.to)
      .member("from_place", report.from_place)
      .member("to_place", report.to_place)
      .member("owner", report.phase == move::Phase::switched || report.phase == move::Phase::confirmed
                           ? report.to
                           : report.from)
      .member("pause_ms", milliseconds(report.pause))
      .member("attempts", report.attempts)
      .member("repeated", report.repeated)
      .member("lag", report.lag)
      .member("started_at", report.started_at)
      .member("changed_at", report.changed_at)
      .key("tables")
      .begin_array();
  for (const move::TableReport& table : report.tables) {
    json.begin_object()
        .member("table", table.table)
        .member("rows", table.rows)
        .member("verified", table.verified)
        .end_object();
  }
  json.end_array().key("notes").begin_array();
  for (const std::string& note : report.notes) json.value(note);
  json.end_array().end_object();
}

std::string next_step(const move::MoveReport& report) {
  const std::string names = " --from " + report.from + " --to " + report.to;
  switch (report.phase) {
    case move::Phase::captured:
    case move::Phase::verified:
      return "switchyard move" + names + "  goes on; switchyard move abort" + names + "  leaves nothing of it";
    case move::Phase::switched:
      return "switchyard move confirm" + names + "  empties the old copy; switchyard move rollback" + names +
             "  goes back with everything written since";
    case move::Phase::returning: return "switchyard move rollback" + names + "  goes on";
    case move::Phase::returned: return "switchyard move confirm" + names + "  drops the copy at " + report.to;
    case move::Phase::confirmed: return "";
  }
  return "";
}

std::string said(const move::MoveReport& report) {
  const bool moved = report.phase == move::Phase::switched || report.phase == move::Phase::confirmed;
  std::string tables;
  for (const move::TableReport& table : report.tables) tables += (tables.empty() ? "" : ", ") + table.table;
  if (tables.empty()) return "";
  return tables + (report.tables.size() == 1 ? " is" : " are") + " owned by " + (moved ? report.to : report.from) +
         " (" + (moved ? report.to_place : report.from_place) + ")";
}

}  // namespace

void MoveProgress::show(const move::Progress& progress) {
  if (console_.quiet()) return;
  const auto now = std::chrono::steady_clock::now();
  const std::string step(progress.step);
  const bool fresh = step != step_ || progress.what != what_;
  if (fresh) {
    step_ = step;
    what_ = progress.what;
    begun_ = now;
    first_ = progress.done;
  }
  const bool terminal = console_.err_is_terminal();
  if (!fresh && now - shown_ < (terminal ? std::chrono::steady_clock::duration(kDrawEvery) : kTellEvery)) return;
  if (!terminal && fresh && now - shown_ < std::chrono::seconds(1) && step != "wait") return;
  shown_ = now;
  const double seconds = std::chrono::duration<double>(now - begun_).count();
  const double rate =
      seconds > 0.2 ? static_cast<double>(progress.done - std::min(first_, progress.done)) / seconds : 0;
  std::string text = step;
  if (progress.total != 0) text += " " + bar(progress.done, progress.total);
  if (!progress.what.empty()) text += " " + progress.what;
  if (progress.done != 0) text += "  " + std::to_string(progress.done);
  if (progress.total != 0) text += " of about " + std::to_string(progress.total) + " rows";
  if (rate > 0) text += "  " + std::to_string(static_cast<std::uint64_t>(rate)) + "/s";
  if (rate > 0 && progress.total > progress.done) {
    const auto left = static_cast<std::uint64_t>(static_cast<double>(progress.total - progress.done) / rate);
    text += "  " + std::to_string(left) + "s left";
  }
  if (progress.lag != 0) text += "  lag " + std::to_string(progress.lag) + " changes";
  if (!terminal) {
    console_.note(text);
    return;
  }
  std::fprintf(stderr, "\r\x1b[K%s", fit(text, console_.width() - 1).c_str());
  std::fflush(stderr);
  open_ = true;
}

void MoveProgress::end() {
  if (!open_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  open_ = false;
}

std::string show_move(const move::MoveReport& report, const GlobalOptions& global, const Console& console) {
  if (global.json) {
    http::JsonWriter json;
    write(json, report);
    return json.take() + "\n";
  }
  const Paint& paint = console.out();
  std::string out = paint(Tone::strong, report.name) + "  " + std::string(move::to_string(report.phase)) + "\n";
  if (const std::string text = said(report); !text.empty()) out += "  " + text + "\n";
  for (const move::TableReport& table : report.tables) {
    if (table.verified) {
      out += "  " + table.table + "  " + std::to_string(table.rows) + " rows, " +
             paint(Tone::good, "equal on both sides") + "\n";
    }
  }
  if (report.pause > Duration::zero()) {
    out += "  writers waited for " + std::to_string(static_cast<long>(milliseconds(report.pause))) +
           " ms at most (" + std::to_string(report.attempts) +
           (report.attempts == 1 ? " attempt)\n" : " attempts)\n");
  }
  if (report.lag != 0)
    out += "  " + std::to_string(report.lag) + " changes wait to be repeated on the other side\n";
  for (const std::string& note : report.notes) out += "  " + note + "\n";
  if (const std::string next = next_step(report); !next.empty()) out += "  " + paint(Tone::quiet, next) + "\n";
  return out;
}

std::string show_moves(const std::vector<move::MoveReport>& reports, const GlobalOptions& global,
                       const Console& console) {
  if (global.json) {
    http::JsonWriter json;
    json.begin_array();
    for (const move::MoveReport& report : reports) write(json, report);
    json.end_array();
    return json.take() + "\n";
  }
  std::string out;
  for (const move::MoveReport& report : reports) out += show_move(report, global, console);
  return out;
}

}  // namespace switchyard::cli
