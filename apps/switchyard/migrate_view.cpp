#include "migrate_view.hpp"

#include "text_table.hpp"

#include <switchyard/base/units.hpp>
#include <switchyard/http/json_writer.hpp>

#include <algorithm>
#include <chrono>

namespace switchyard::cli {

namespace {

using http::JsonWriter;
using schema::LintFinding;
using schema::LintLevel;
using schema::MigrationState;

double milliseconds(Duration value) { return std::chrono::duration<double, std::milli>(value).count(); }

std::string time_text(Duration value) {
  if (value >= std::chrono::seconds(10)) return format_duration(std::chrono::round<std::chrono::seconds>(value));
  return std::to_string(std::chrono::round<std::chrono::milliseconds>(value).count()) + "ms";
}

std::string_view to_string(LintLevel level) {
  return level == LintLevel::danger ? "danger" : level == LintLevel::warning ? "warning" : "hint";
}
Tone tone_of(LintLevel level) {
  return level == LintLevel::danger ? Tone::bad : level == LintLevel::warning ? Tone::warn : Tone::quiet;
}
Tone tone_of(MigrationState state) {
  using enum MigrationState;
  switch (state) {
    case success:
    case baseline:
    case out_of_order: return Tone::good;
    case failed:
    case missing_failed:
    case future_failed: return Tone::bad;
    case pending: return Tone::strong;
    case unfinished:
    case outdated:
    case ignored:
    case missing: return Tone::warn;
    default: return Tone::quiet;
  }
}

void texts(JsonWriter& json, std::string_view name, const std::vector<std::string>& list) {
  json.key(name).begin_array();
  for (const std::string& one : list) json.value(one);
  json.end_array();
}

void head(JsonWriter& json, const TargetView& target) {
  json.begin_object().member("database", target.database).member_if("schema", target.schema);
  json.member_if("runs_on", target.runs_on).member_if("version", target.version);
  if (target.error) json.member("error", target.error->what());
}

void finding(JsonWriter& json, const LintFinding& one) {
  json.begin_object()
      .member("line", one.line)
      .member("rule", one.rule)
      .member("level", to_string(one.level))
      .member("message", one.message)
      .member("safe", one.safe)
      .end_object();
}

std::string heading(const TargetView& target, const Console& console) {
  std::string text = console.out()(Tone::strong, target.database);
  if (target.runs_on != target.database && !target.runs_on.empty()) text += " (kept in " + target.runs_on + ")";
  if (!target.schema.empty()) text += ", schema " + target.schema;
  text += target.version.empty() ? ": no version yet" : ": version " + target.version;
  return text + "\n";
}

std::string finding_text(const LintFinding& one, const Console& console) {
  return "    " + std::to_string(one.line) + "  " + console.out()(tone_of(one.level), to_string(one.level)) + "  " +
         one.rule + ": " + one.message + "\n          " + console.out()(Tone::quiet, "instead: " + one.safe) + "\n";
}

std::string problem_text(const TargetView& target, const Console& console) {
  std::string text;
  if (target.error) text += "  " + console.out()(Tone::bad, "error: ") + target.error->what() + "\n";
  for (const std::string& one : target.problems) text += "  " + console.out()(Tone::bad, "wrong: ") + one + "\n";
  for (const std::string& one : target.ignored) text += "  " + console.out()(Tone::warn, "left out: ") + one + "\n";
  return text;
}

}  // namespace

std::string show_status(const std::vector<TargetView>& targets, const GlobalOptions& global,
                        const Console& console) {
  if (global.json) {
    JsonWriter json;
    json.begin_object().key("databases").begin_array();
    for (const TargetView& target : targets) {
      head(json, target);
      texts(json, "folders", target.folders);
      json.key("migrations").begin_array();
      for (const MigrationLine& line : target.lines) {
        json.begin_object().member("version", line.version).member("description", line.description);
        json.member("script", line.script).member("state", line.state).member_if("installed_on", line.installed_on);
        json.member_if("installed_by", line.installed_by).member("execution_time_ms", line.execution_time);
        json.member_if("table", line.header.table).member_if("purpose", line.header.purpose);
        json.member_if("data_source", line.header.data_source);
        json.member_if("update_frequency", line.header.update_frequency).end_object();
      }
      json.end_array();
      texts(json, "ignored", target.ignored);
      json.end_object();
    }
    json.end_array().end_object();
    return json.take();
  }
  std::string text;
  for (const TargetView& target : targets) {
    text += heading(target, console);
    TextTable table({{"version"}, {"description"}, {"state"}, {"applied"}, {"script"}});
    for (const MigrationLine& line : target.lines) {
      table.add({line.version, line.description, Cell(line.state, tone_of(line.kind)),
                 line.installed_on.substr(0, 19), line.script});
    }
    if (!table.empty()) text += table.text(console.out(), 2);
    for (const MigrationLine& line : target.lines) {
      const scripts::ScriptHeader& header = line.header;
      if (header.table.empty() && header.purpose.empty()) continue;
      text += "  " + line.script + ": " + header.table;
      if (!header.purpose.empty()) text += "; " + header.purpose;
      if (!header.data_source.empty()) text += "; from " + header.data_source;
      if (!header.update_frequency.empty()) text += "; " + header.update_frequency;
      text += "\n";
    }
    text += problem_text(target, console);
  }
  return text;
}

std::string show_plan(const std::vector<TargetView>& targets, const GlobalOptions& global, const Console& console) {
  if (global.json) {
    JsonWriter json;
    json.begin_object().key("databases").begin_array();
    for (const TargetView& target : targets) {
      head(json, target);
      texts(json, "problems", target.problems);
      json.key("scripts").begin_array();
      for (const JudgedScript& script : target.scripts) {
        json.begin_object().member("script", script.title).member("file", script.file);
        json.member("transaction", script.inside).key("statements").begin_array();
        for (const schema::StatementPlan& one : script.judgement.statements) {
          json.begin_object().member("line", one.line).member("statement", one.words);
          texts(json, "locks", one.locks);
          json.end_object();
        }
        json.end_array().key("findings").begin_array();
        for (const LintFinding& one : script.judgement.findings) finding(json, one);
        json.end_array().end_object();
      }
      json.end_array().end_object();
    }
    json.end_array().end_object();
    return json.take();
  }
  std::string text;
  for (const TargetView& target : targets) {
    text += heading(target, console) + problem_text(target, console);
    if (target.scripts.empty() && !target.error) text += "  nothing to do\n";
    for (const JudgedScript& script : target.scripts) {
      text += "  " + console.out()(Tone::strong, script.title) +
              (script.inside ? "" : "  (outside of a transaction, resumable)") + "\n";
      for (const schema::StatementPlan& one : script.judgement.statements) {
        for (const std::string& lock : one.locks) {
          text += "    " + std::to_string(one.line) + "  " + one.words + ": " + lock + "\n";
        }
      }
      for (const LintFinding& one : script.judgement.findings) text += finding_text(one, console);
    }
  }
  return text;
}

std::string show_validation(const std::vector<TargetView>& targets, const GlobalOptions& global,
                            const Console& console) {
  if (global.json) {
    JsonWriter json;
    json.begin_object().key("databases").begin_array();
    for (const TargetView& target : targets) {
      head(json, target);
      json.member("valid", target.problems.empty() && !target.error);
      texts(json, "problems", target.problems);
      json.end_object();
    }
    json.end_array().end_object();
    return json.take();
  }
  std::string text;
  for (const TargetView& target : targets) {
    text += heading(target, console) + problem_text(target, console);
    if (target.problems.empty() && !target.error) text += "  " + console.out()(Tone::good, "valid") + "\n";
  }
  return text;
}

std::string show_drift(const std::vector<TargetView>& targets, const GlobalOptions& global,
                       const Console& console) {
  const auto kind_text = [](schema::DriftKind kind) {
    return kind == schema::DriftKind::missing      ? "missing"
           : kind == schema::DriftKind::unexpected ? "unexpected"
                                                   : "different";
  };
  if (global.json) {
    JsonWriter json;
    json.begin_object().key("databases").begin_array();
    for (const TargetView& target : targets) {
      head(json, target);
      json.key("drift").begin_array();
      for (const schema::Drift& one : target.drifts) {
        json.begin_object().member("kind", kind_text(one.kind)).member("object", one.object);
        json.member_if("expected", one.expected).member_if("found", one.found).end_object();
      }
      json.end_array().end_object();
    }
    json.end_array().end_object();
    return json.take();
  }
  std::string text;
  for (const TargetView& target : targets) {
    text += heading(target, console) + problem_text(target, console);
    if (target.drifts.empty() && !target.error) {
      text += "  " + console.out()(Tone::good, "as its migrations make it") + "\n";
    }
    for (const schema::Drift& one : target.drifts) {
      text += "  " + console.out()(Tone::warn, kind_text(one.kind)) + "  " + one.object + "\n";
      if (!one.expected.empty()) text += "      migrations: " + one.expected + "\n";
      if (!one.found.empty()) text += "      database:   " + one.found + "\n";
    }
  }
  return text;
}

std::string show_lint(const std::vector<JudgedScript>& scripts, const GlobalOptions& global,
                      const Console& console) {
  if (global.json) {
    JsonWriter json;
    json.begin_object().key("files").begin_array();
    for (const JudgedScript& script : scripts) {
      json.begin_object().member("file", script.file).key("findings").begin_array();
      for (const LintFinding& one : script.judgement.findings) finding(json, one);
      json.end_array().end_object();
    }
    json.end_array().end_object();
    return json.take();
  }
  std::string text;
  for (const JudgedScript& script : scripts) {
    if (script.judgement.findings.empty()) continue;
    text += console.out()(Tone::strong, script.file) + "\n";
    for (const LintFinding& one : script.judgement.findings) text += finding_text(one, console);
  }
  return text;
}

std::string show_reports(const std::vector<schema::TargetReport>& reports, const GlobalOptions& global,
                         const Console& console) {
  if (global.json) {
    JsonWriter json;
    json.begin_object().key("databases").begin_array();
    for (const schema::TargetReport& report : reports) {
      json.begin_object().member("database", report.database).member_if("schema", report.schema);
      json.member("ok", report.ok()).member_if("from", report.from).member_if("to", report.to);
      json.key("applied").begin_array();
      for (const schema::AppliedScript& one : report.applied) {
        json.begin_object().member("version", one.version).member("script", one.script);
        json.member("ms", milliseconds(one.took)).end_object();
      }
      json.end_array();
      texts(json, "problems", report.problems);
      texts(json, "notes", report.notes);
      if (report.error) {
        json.member("error", report.error->what()).member_if("sqlstate", report.error->sqlstate());
        json.member_if("failed_script", report.failed_script);
      }
      json.member("ms", milliseconds(report.took)).end_object();
    }
    json.end_array().end_object();
    return json.take();
  }
  TextTable table(
      {{"database"}, {"schema"}, {"from"}, {"to"}, {"scripts", Align::right}, {"time", Align::right}, {"result"}});
  for (const schema::TargetReport& report : reports) {
    const bool nothing = report.ok() && report.applied.empty();
    const std::string result = nothing ? "up to date" : report.ok() ? "done" : report.error ? "failed" : "refused";
    table.add({report.database, report.schema, report.from, report.to, std::to_string(report.applied.size()),
               time_text(report.took), Cell(result, report.ok() ? Tone::good : Tone::bad)});
  }
  return table.text(console.out());
}

std::string show_step(const schema::MigrationStep& step) {
  std::string text = step.database;
  if (!step.script.empty()) text += "  " + step.script;
  switch (step.kind) {
    case schema::StepKind::waits_for_run:
      return text + "  another run is at work: " + step.text + ", waiting " + time_text(step.elapsed);
    case schema::StepKind::script_begins: return text + "  begins, " + step.text;
    case schema::StepKind::statement: return text + "  " + step.text + ", " + time_text(step.elapsed);
    case schema::StepKind::retry: return text + "  again in " + time_text(step.elapsed) + ": " + step.text;
    case schema::StepKind::script_done: return text + "  " + time_text(step.elapsed);
    case schema::StepKind::note: return text + "  " + step.text;
  }
  return text;
}

}  // namespace switchyard::cli
