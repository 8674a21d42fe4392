#include "provision_view.hpp"

#include "text_table.hpp"

#include <switchyard/http/json_writer.hpp>

#include <map>

namespace switchyard::cli {

namespace {

using http::JsonWriter;
using provision::AuditFinding;
using provision::Effect;
using provision::RotationReport;
using provision::ServerReport;
using provision::Step;

std::string_view word_of(Effect effect) {
  switch (effect) {
    case Effect::make: return "make";
    case Effect::change: return "change";
    case Effect::grant: return "grant";
    case Effect::take_away: return "take away";
    case Effect::drop: return "drop";
  }
  return "";
}

Tone tone_of(Effect effect) {
  switch (effect) {
    case Effect::make:
    case Effect::grant: return Tone::good;
    case Effect::change: return Tone::strong;
    case Effect::take_away: return Tone::warn;
    case Effect::drop: return Tone::bad;
  }
  return Tone::plain;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

std::string count_of(std::size_t count, const char* thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

std::string steps_text(const std::vector<Step>& steps, const Console& console) {
  std::string text, database;
  for (const Step& step : steps) {
    if (step.database != database) {
      database = step.database;
      if (!database.empty()) text += "  in " + database + "\n";
    }
    std::string word(word_of(step.effect));
    word.resize(10, ' ');
    text += "  " + std::string(step.confirm ? "! " : "  ") + console.out()(tone_of(step.effect), word) +
            step.text() + ";";
    if (!step.why.empty()) text += "  " + console.out()(Tone::quiet, "-- " + step.why);
    text += "\n";
  }
  return text;
}

std::string notes_text(const ServerReport& report, const Console& console) {
  std::string text;
  for (const std::string& note : report.plan.notes)
    text += "  " + console.out()(Tone::warn, "note: ") + note + "\n";
  if (report.error) text += "  " + console.out()(Tone::bad, "error: ") + report.error->what() + "\n";
  return text;
}

std::string heading(const ServerReport& report, const Console& console) {
  return console.out()(Tone::strong, report.place) + "  " + joined(report.databases) + "\n";
}

void texts(JsonWriter& json, std::string_view name, const std::vector<std::string>& list) {
  json.key(name).begin_array();
  for (const std::string& one : list) json.value(one);
  json.end_array();
}

void steps_json(JsonWriter& json, std::string_view name, const std::vector<Step>& steps) {
  json.key(name).begin_array();
  for (const Step& step : steps) {
    json.begin_object().member("effect", word_of(step.effect)).member_if("database", step.database);
    json.member("sql", step.text()).member_if("why", step.why).member("confirm", step.confirm).end_object();
  }
  json.end_array();
}

enum class Shown { planned, done };

std::string reports_json(const std::vector<ServerReport>& reports, Shown shown) {
  JsonWriter json;
  json.begin_object().key("servers").begin_array();
  for (const ServerReport& report : reports) {
    json.begin_object().member("server", report.place);
    texts(json, "databases", report.databases);
    if (shown == Shown::planned) {
      steps_json(json, "statements", report.plan.steps);
    } else {
      steps_json(json, "done", report.done);
      steps_json(json, "held_back", report.held_back);
      texts(json, "password_files", report.password_files);
    }
    texts(json, "notes", report.plan.notes);
    if (report.error) json.member("error", report.error->what());
    json.end_object();
  }
  json.end_array().end_object();
  return json.take();
}

void finding_json(JsonWriter& json, const AuditFinding& one) {
  json.begin_object().member("server", one.server).member_if("database", one.database).member("rule", one.rule);
  json.member_if("object", one.object).member("text", one.text).member_if("fix", one.fix).end_object();
}

void findings_json(JsonWriter& json, std::string_view name, const std::vector<AuditFinding>& findings) {
  json.key(name).begin_array();
  for (const AuditFinding& one : findings) finding_json(json, one);
  json.end_array();
}

std::string finding_text(const AuditFinding& one, const Console& console) {
  std::string text = "  " + console.out()(Tone::warn, one.rule) + "  " + one.text;
  if (!one.database.empty()) text += console.out()(Tone::quiet, "  (" + one.database + ")");
  text += "\n";
  if (!one.fix.empty()) text += "      " + console.out()(Tone::quiet, one.fix) + "\n";
  return text;
}

}  // namespace

std::string show_provision_plan(const std::vector<ServerReport>& reports, const std::string& application,
                                const GlobalOptions& global, const Console& console) {
  if (global.json) return reports_json(reports, Shown::planned);
  std::string text;
  for (const ServerReport& report : reports) {
    text += heading(report, console) + steps_text(report.plan.steps, console) + notes_text(report, console);
    if (report.error) continue;
    if (report.plan.empty()) {
      text += "  " + console.out()(Tone::good, "nothing to do") + "\n";
      continue;
    }
    text += "  " + count_of(report.plan.steps.size(), "statement");
    if (const std::size_t held = report.plan.held_back(); held != 0) {
      text += "; those with ! (" + std::to_string(held) + ") only with --confirm " + application;
    }
    text += "\n";
  }
  return text;
}

std::string show_provision_apply(const std::vector<ServerReport>& reports, const std::string& application,
                                 const GlobalOptions& global, const Console& console) {
  if (global.json) return reports_json(reports, Shown::done);
  std::string text;
  for (const ServerReport& report : reports) {
    text += heading(report, console);
    if (console.verbose()) text += steps_text(report.done, console);
    text += report.done.empty()
                ? "  " + console.out()(Tone::good, "nothing to do") + "\n"
                : "  " + console.out()(Tone::good, count_of(report.done.size(), "statement") + " done") + "\n";
    for (const std::string& file : report.password_files) text += "  password kept in " + file + "\n";
    if (report.hba_written) text += "  pg_hba.conf refuses without TLS who has to use it, and was read again\n";
    if (!report.hba_written || report.error) text += notes_text(report, console);
    if (report.held_back.empty()) continue;
    text += "  left undone, since somebody may miss it; with --confirm " + application + ":\n" +
            steps_text(report.held_back, console);
  }
  return text;
}

std::string show_rotation(const std::vector<RotationReport>& reports, const GlobalOptions& global,
                          const Console& console) {
  if (global.json) {
    JsonWriter json;
    json.begin_object().key("roles").begin_array();
    for (const RotationReport& report : reports) {
      json.begin_object().member("role", report.role).member_if("file", report.file);
      texts(json, "servers", report.servers);
      json.member("finished_earlier", report.finished_earlier);
      if (report.error) json.member("error", report.error->what());
      json.end_object();
    }
    json.end_array().end_object();
    return json.take();
  }
  std::string text;
  for (const RotationReport& report : reports) {
    text += console.out()(Tone::strong, report.role) + "  ";
    if (report.error) {
      text += console.out()(Tone::bad, "error: ") + std::string(report.error->what()) + "\n";
    } else {
      text += std::string(report.finished_earlier ? "what an earlier run had begun is finished"
                                                  : "has a new password") +
              ", kept in " + report.file + "\n";
    }
  }
  return text.empty() ? "no role to rotate\n" : text;
}

std::string audit_document(const AuditView& view) {
  JsonWriter json;
  json.begin_object().member("date", view.date).member("application", view.application);
  findings_json(json, "findings", view.findings);
  json.end_object();
  return json.take();
}

std::string show_audit(const AuditView& view, const GlobalOptions& global, const Console& console) {
  if (global.json) {
    JsonWriter json;
    json.begin_object().member("date", view.date).member("application", view.application);
    findings_json(json, "findings", view.findings);
    if (!view.compared_with.empty()) {
      json.member("compared_with", view.compared_with);
      findings_json(json, "new", view.fresh);
      findings_json(json, "gone", view.gone);
    }
    json.end_object();
    return json.take();
  }
  std::map<std::string, std::vector<const AuditFinding*>> servers;
  for (const AuditFinding& one : view.findings) servers[one.server].push_back(&one);
  std::string text;
  for (const auto& [server, findings] : servers) {
    text += console.out()(Tone::strong, server) + "\n";
    for (const AuditFinding* one : findings) text += finding_text(*one, console);
  }
  if (!view.compared_with.empty()) {
    text += "since " + view.compared_with + ": " + count_of(view.fresh.size(), "new finding") + ", " +
            std::to_string(view.gone.size()) + " gone\n";
    for (const AuditFinding& one : view.fresh) text += "  new " + finding_text(one, console);
    for (const AuditFinding& one : view.gone) text += "  gone" + finding_text(one, console);
  }
  text += view.findings.empty() ? console.out()(Tone::good, "nothing beyond the plan") + "\n"
                                : count_of(view.findings.size(), "finding") + "\n";
  return text;
}

}  // namespace switchyard::cli
