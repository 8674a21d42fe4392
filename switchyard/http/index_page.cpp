#include <switchyard/http/index_page.hpp>

#include <switchyard/base/units.hpp>
#include <switchyard/http/documents.hpp>

#include <algorithm>
#include <chrono>
#include <string_view>

namespace switchyard::inline v0::http {

namespace {

constexpr std::string_view kHead = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Switchyard</title>
<style>
  :root { color-scheme: light dark; }
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  h1 { font-size: 1.4rem; margin-bottom: 0; }
  h2 { font-size: 1.05rem; margin-top: 2rem; }
  p.sub { margin-top: .2rem; opacity: .7; }
  table { border-collapse: collapse; width: 100%; }
  th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
  td.number, th.number { text-align: right; }
  code { font: 13px ui-monospace, monospace; }
  .good { color: #14833b; } .bad { color: #c62828; } .quiet { opacity: .6; }
</style>
</head>
<body>
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string endpoint_title(const DatabaseStatus& database, const EndpointStatus& endpoint) {
  switch (endpoint.role) {
    case EndpointRole::primary: return database.name + (database.required ? "" : " (optional)");
    case EndpointRole::write: return "&nbsp;&nbsp;write";
    case EndpointRole::read: return "&nbsp;&nbsp;read";
    case EndpointRole::replica: return "&nbsp;&nbsp;replica " + escaped(endpoint.name);
  }
  return {};
}

std::string state_cell(bool configured, const HealthReport* report, const std::string& stand_in) {
  if (!configured) {
    return R"(<span class="quiet">not configured)" +
           (stand_in.empty() ? "" : ", " + escaped(stand_in) + " stands in") + "</span>";
  }
  if (report == nullptr) return "";
  if (report->healthy) return R"(<span class="good">serves</span>)";
  return R"(<span class="bad">down</span> )" + escaped(report->error);
}

std::string pool_cell(const EndpointStatus& endpoint) {
  if (!endpoint.pool) return R"(<span class="quiet">not opened</span>)";
  return std::to_string(endpoint.pool->active) + " / " + std::to_string(endpoint.pool->total) + " / " +
         std::to_string(endpoint.pool->max);
}

void append_database(std::string& out, const DatabaseStatus& database, const HealthReports& reports) {
  for (const EndpointStatus& endpoint : database.endpoints) {
    const HealthReport* own = report_of(reports, database.name, endpoint);
    out += "<tr><td>" + endpoint_title(database, endpoint) + "</td><td><code>" +
           escaped(endpoint.configured ? endpoint.location : "") + "</code></td><td>" +
           state_cell(endpoint.configured, own,
                      endpoint.role == EndpointRole::primary ? database.stand_in : std::string()) +
           R"(</td><td class="number">)" + (endpoint.configured ? pool_cell(endpoint) : "") +
           R"(</td><td class="number">)" + std::to_string(endpoint.operations.count) + "</td></tr>\n";
  }
}

}  // namespace

std::string index_page(const FleetStatus& status, const HealthReports& reports,
                       std::span<const Router::Entry> routes) {
  std::string out(kHead);
  const Verdict verdict = judge(status, reports);
  const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(status.uptime);
  out += "<h1>" + escaped(status.application) + "</h1>\n<p class=\"sub\">Switchyard " + escaped(status.version) +
         ", up " + format_duration(uptime) + R"(, <span class=")" + (verdict == Verdict::pass ? "good" : "bad") +
         "\">" + std::string(to_string(verdict)) + "</span></p>\n";
  out +=
      "<h2>Databases</h2>\n<table><tr><th>database</th><th>endpoint</th><th>state</th>"
      "<th class=\"number\">in use / open / max</th><th class=\"number\">operations</th></tr>\n";
  for (const DatabaseStatus& database : status.databases) {
    append_database(out, database, reports);
  }
  out += "</table>\n<h2>Routes</h2>\n<table>\n";
  for (const Router::Entry& entry : routes) {
    out += "<tr><td><a href=\"" + escaped(entry.path) + "\"><code>" + escaped(entry.path) + "</code></a></td><td>" +
           escaped(entry.summary) + "</td></tr>\n";
  }
  out += "</table>\n</body>\n</html>\n";
  return out;
}

}  // namespace switchyard::inline v0::http
