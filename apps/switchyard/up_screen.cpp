#include "up_screen.hpp"

#include "gateway_door.hpp"
#include "text_table.hpp"

#include <switchyard/http/documents.hpp>
#include <switchyard/http/json_writer.hpp>

#include <algorithm>

namespace switchyard::cli {

namespace {

constexpr std::size_t kPsqlLines = 8;

const Relocation* private_place(const RunningFleet& running, std::string_view database, std::string_view replica) {
  const auto at = std::ranges::find_if(running.relocations, [&](const Relocation& one) {
    return one.database == database && one.replica == replica;
  });
  return at == running.relocations.end() ? nullptr : &*at;
}

std::string replica_name(const EndpointStatus& endpoint) {
  return endpoint.role == EndpointRole::replica ? endpoint.name : std::string();
}

/// "private server main, streaming replica", or where the configuration says it is.
std::string place_of(const UpScreen& screen, const DatabaseStatus& database, const EndpointStatus& endpoint) {
  if (!endpoint.configured) return database.stand_in.empty() ? "not configured" : database.stand_in + " stands in";
  const Relocation* place = private_place(screen.running, database.name, replica_name(endpoint));
  return place != nullptr ? place->place : endpoint.location;
}

Cell state_of(const UpScreen& screen, const DatabaseStatus& database, const EndpointStatus& endpoint) {
  const HealthReport* report = http::report_of(screen.health, database.name, endpoint);
  if (!endpoint.configured || report == nullptr) return "";
  return report->healthy ? Cell("serves", Tone::good) : Cell("down: " + report->error, Tone::bad);
}

std::string database_table(const UpScreen& screen, const Paint& paint) {
  TextTable table({{"database"}, {"endpoint"}, {"state"}});
  for (const DatabaseStatus& database : screen.status.databases) {
    for (const EndpointStatus& endpoint : database.endpoints) {
      if (endpoint.role == EndpointRole::write || endpoint.role == EndpointRole::read) continue;
      const bool primary = endpoint.role == EndpointRole::primary;
      table.add({Cell(primary ? database.name : "  replica " + endpoint.name, primary ? Tone::strong : Tone::plain),
                 Cell(place_of(screen, database, endpoint), endpoint.configured ? Tone::plain : Tone::quiet),
                 state_of(screen, database, endpoint)});
    }
  }
  return table.text(paint, 2);
}

std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// A database worth a line of psql; null if the gateway is closed.
const DatabaseConfig* shown_through_gateway(const UpScreen& screen) {
  if (screen.running.gateway.empty()) return nullptr;
  const auto at = std::ranges::find_if(screen.config.databases, &DatabaseConfig::configured);
  return at == screen.config.databases.end() ? nullptr : &*at;
}

std::string suggestions(const UpScreen& screen, const Paint& paint) {
  std::string out;
  const auto line = [&](const std::string& text, const std::string& comment = {}) {
    out += "  " + text + (comment.empty() ? "" : "   " + paint(Tone::quiet, "# " + comment)) + '\n';
  };
  out += paint(Tone::quiet, "Try, in another terminal:") + '\n';
  const std::string& program = screen.program;
  bool first = true;
  for (const auto& [database, sql] : screen.samples) {
    const bool main = database == "main" && first;
    line(program + " query " + (main ? "" : "--on " + database + " ") + '"' + sql + '"');
    first = false;
  }
  const std::string shell_on = screen.status.databases.empty() ? "main" : screen.status.databases.back().name;
  line(program + " shell --on " + shell_on);
  line(program + " status --watch");
  if (const DatabaseConfig* shown = shown_through_gateway(screen)) {
    line(psql_line(screen.running.gateway, shown->primary.connection.user, shown->name),
         "through the gateway, as any client");
  }
  line("curl http://" + screen.running.http + "/api/health/databases");
  line("curl http://" + screen.running.http + "/metrics");
  TextTable places({{""}, {""}});
  for (const Relocation& at : screen.running.relocations) {
    places.add({"psql " + shell_quoted(at.dsn),
                Cell("# " + at.database + (at.replica.empty() ? "" : ", replica " + at.replica), Tone::quiet)});
  }
  if (screen.running.relocations.size() <= kPsqlLines) {
    const std::string lines = places.text(paint, 2);
    out += lines.substr(lines.find('\n') + 1);  // without the empty heading
  }
  return out;
}

}  // namespace

std::string up_screen(const UpScreen& screen, const Paint& paint) {
  std::string out = "\n" + paint(Tone::strong, screen.running.application) +
                    " is up: " + paint(Tone::strong, "http://" + screen.running.http) + '\n';
  if (!screen.running.gateway.empty()) {
    out += "PostgreSQL clients:";
    for (const std::string& address : screen.running.gateway) out += " " + paint(Tone::strong, address);
    out += '\n';
  }
  if (!screen.server_version.empty()) {
    const bool shared = std::ranges::any_of(
        screen.running.relocations, [](const Relocation& at) { return at.place == "private server shared"; });
    out += paint(Tone::quiet, "private servers: PostgreSQL " + screen.server_version +
                                  (shared ? "; databases without replicas share one" : "")) +
           '\n';
  }
  out += '\n' + database_table(screen, paint) + '\n' + suggestions(screen, paint) + '\n';
  out += screen.detached ? "It runs in the background, pid " + std::to_string(screen.running.pid) + ". " +
                               screen.program + " down stops it.\n"
                         : "Ctrl-C stops it.\n";
  return out;
}

std::string up_screen_json(const UpScreen& screen) {
  http::JsonWriter json;
  json.begin_object()
      .member("application", screen.running.application)
      .member("pid", screen.running.pid)
      .member("http", "http://" + screen.running.http);
  json.key("gateway").begin_array();
  for (const std::string& address : screen.running.gateway) json.value(address);
  json.end_array();
  json.key("databases").begin_array();
  for (const DatabaseStatus& database : screen.status.databases) {
    for (const EndpointStatus& endpoint : database.endpoints) {
      if (endpoint.role == EndpointRole::write || endpoint.role == EndpointRole::read) continue;
      const HealthReport* report = http::report_of(screen.health, database.name, endpoint);
      const Relocation* place = private_place(screen.running, database.name, replica_name(endpoint));
      json.begin_object()
          .member("database", database.name)
          .member_if("replica", replica_name(endpoint))
          .member("configured", endpoint.configured)
          .member("private", place != nullptr)
          .member_if("dsn", place != nullptr ? std::string_view(place->dsn) : std::string_view())
          .member_if("location", endpoint.location)
          .member("serves", report != nullptr && report->healthy)
          .end_object();
    }
  }
  json.end_array().end_object();
  return json.take();
}

}  // namespace switchyard::cli
