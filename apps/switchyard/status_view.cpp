#include "status_view.hpp"

#include "text_table.hpp"

#include <switchyard/base/units.hpp>
#include <switchyard/http/documents.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

namespace switchyard::cli {

namespace {

constexpr std::size_t kReasonWidth = 60;

Cell name_cell(const DatabaseStatus& database, const EndpointStatus& endpoint) {
  switch (endpoint.role) {
    case EndpointRole::primary: return {database.name, Tone::strong};
    case EndpointRole::write: return "  write";
    case EndpointRole::read: return "  read";
    case EndpointRole::replica: return "  replica " + endpoint.name;
  }
  return "";
}

/// What is worth knowing of a place that serves: how far it lags, or that it is not what it should be.
std::string replication_text(const EndpointStatus& endpoint) {
  if (!endpoint.replication || !endpoint.replication->observed) return "";
  const ReplicationStatus& seen = *endpoint.replication;
  if (!seen.reachable || seen.late) return ", probe fails";
  if (endpoint.role == EndpointRole::primary) return seen.role == "primary" ? "" : ", is a " + seen.role;
  if (seen.role == "primary") return ", is the primary";
  if (seen.role != "standby") return ", " + seen.role;
  return seen.lag ? ", lags " + short_duration(*seen.lag) : ", lag unknown";
}

Cell state_cell(const DatabaseStatus& database, const EndpointStatus& endpoint, const HealthReport* report) {
  if (!endpoint.configured) {
    const bool stands_in = endpoint.role == EndpointRole::primary && !database.stand_in.empty();
    return {stands_in ? "not configured, " + database.stand_in + " stands in" : "not configured", Tone::quiet};
  }
  if (report == nullptr) return endpoint.last_error.empty() ? Cell("") : Cell("down", Tone::bad);
  if (report->healthy) return {"serves" + replication_text(endpoint), Tone::good};
  return {database.required && endpoint.role == EndpointRole::primary ? "down (required)" : "down", Tone::bad};
}

std::string pool_text(const EndpointStatus& endpoint) {
  if (!endpoint.pool) return "";
  std::string text = std::to_string(endpoint.pool->active) + "/" + std::to_string(endpoint.pool->total) + "/" +
                     std::to_string(endpoint.pool->max);
  if (endpoint.pool->waiting > 0) text += " +" + std::to_string(endpoint.pool->waiting);
  return text;
}

Cell breaker_cell(const EndpointStatus& endpoint) {
  if (!endpoint.configured) return "";
  return {endpoint.breaker, endpoint.breaker == "CLOSED" ? Tone::quiet : Tone::bad};
}

/// What is wrong, one line each: the tables stay narrow.
std::string troubles(const std::vector<HealthReport>& reports, const Paint& paint, std::size_t width) {
  std::string out;
  const auto add = [&](const std::string& name, const HealthReport& report) {
    if (report.healthy || report.error.empty()) return;
    out += "  " + paint(Tone::bad, name) + "  " +
           fit(report.error, std::max(width, kReasonWidth) - name.size() - 4) + '\n';
  };
  for (const HealthReport& report : reports) {
    add(report.database, report);
    for (const HealthReport& replica : report.replicas) add(report.database + "/" + replica.database, replica);
  }
  return out.empty() ? out : "\n" + out;
}

/// What is not wrong, but should be known.
std::string notes(const FleetStatus& status, const Paint& paint) {
  std::string out;
  for (const DatabaseStatus& database : status.databases) {
    const std::string note = http::note_of(database);
    if (!note.empty()) out += "  " + paint(Tone::warn, database.name) + "  " + note + '\n';
  }
  return out.empty() ? out : "\n" + out;
}

std::string age_text(Duration age) {
  if (age < std::chrono::minutes(1)) return "less than a minute";
  return format_duration(std::chrono::duration_cast<std::chrono::minutes>(age));
}

/// The newest backup of each database, and the newest one that a restore test has proven.
std::string backups(const FleetStatus& status, const Paint& paint) {
  TextTable table({{"backup of"}, {"newest"}, {"age", Align::right}, {"size", Align::right}, {"proven"}});
  for (const DatabaseStatus& database : status.databases) {
    if (!database.backup) continue;
    const BackupStatus& backup = *database.backup;
    if (backup.last.empty()) {
      table.add({{database.name, Tone::strong}, {"none", Tone::bad}, "", "", ""});
      continue;
    }
    const bool late = backup.age && backup.frequency > Duration::zero() && *backup.age > 2 * backup.frequency;
    Cell proven = {"never: switchyard verify-backup", Tone::quiet};
    if (!backup.failed_proof.empty()) {
      proven = {backup.failed_proof + " FAILED", Tone::bad};
    } else if (!backup.proven.empty()) {
      proven = {backup.proven + (backup.proven_age ? ", " + age_text(*backup.proven_age) + " ago" : ""),
                Tone::good};
    }
    table.add({{database.name, Tone::strong},
               backup.last + (backup.encrypted ? ", encrypted" : ""),
               Cell(backup.age ? age_text(*backup.age) : "", late ? Tone::bad : Tone::plain),
               readable_size(backup.bytes),
               proven});
  }
  return table.empty() ? "" : "\n" + table.text(paint);
}

std::string door_line(const WireDoorStatus& door, const Paint& paint) {
  std::string text = "\ngateway";
  for (const std::string& address : door.addresses) text += "  " + paint(Tone::strong, address);
  text += "  " + std::to_string(door.clients) + (door.clients == 1 ? " client, " : " clients, ") +
          std::to_string(door.served) + " with a session";
  if (door.waiting > 0) text += ", " + std::to_string(door.waiting) + " waiting for one";
  if (door.logins > 0) text += ", " + std::to_string(door.logins) + " logging in";
  if (door.refused > 0) text += ", " + std::to_string(door.refused) + " refused";
  return text + '\n';
}

}  // namespace

std::string short_duration(Duration duration) {
  const double ms = std::chrono::duration<double, std::milli>(duration).count();
  std::array<char, 32> text;
  const char* format = ms < 10 ? "%.2f ms" : ms < 1000 ? "%.0f ms" : "%.2f s";
  const int length = std::snprintf(text.data(), text.size(), format, ms < 1000 ? ms : ms / 1000);
  return {text.data(), static_cast<std::size_t>(length)};
}

std::string readable_size(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits{"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  std::array<char, 32> text;
  const int length =
      std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return {text.data(), static_cast<std::size_t>(length)};
}

std::string status_view(const FleetStatus& status, const std::vector<HealthReport>& reports, const Paint& paint,
                        std::size_t width) {
  TextTable table({{"database"},
                   {"endpoint"},
                   {"state"},
                   {"used/open/max", Align::right},
                   {"operations", Align::right},
                   {"errors", Align::right},
                   {"p50", Align::right},
                   {"p99", Align::right},
                   {"breaker"}});
  for (const DatabaseStatus& database : status.databases) {
    for (const EndpointStatus& endpoint : database.endpoints) {
      const HealthReport* own = http::report_of(reports, database.name, endpoint);
      const OperationStatus& operations = endpoint.operations;
      const bool used = operations.count > 0;
      table.add({name_cell(database, endpoint), endpoint.configured ? endpoint.location : "",
                 state_cell(database, endpoint, own), pool_text(endpoint),
                 endpoint.configured ? std::to_string(operations.count) : "",
                 Cell(endpoint.configured ? std::to_string(operations.errors) : "",
                      operations.errors > 0 ? Tone::warn : Tone::plain),
                 used ? short_duration(operations.p50) : "", used ? short_duration(operations.p99) : "",
                 breaker_cell(endpoint)});
    }
  }
  return table.text(paint) + (status.door ? door_line(*status.door, paint) : "") + backups(status, paint) +
         troubles(reports, paint, width) + notes(status, paint);
}

std::string health_view(const FleetStatus& status, const std::vector<HealthReport>& reports, const Paint& paint,
                        std::size_t width) {
  TextTable table({{"database"}, {"state"}, {"pool", Align::right}, {"took", Align::right}});
  for (const DatabaseStatus& database : status.databases) {
    for (const EndpointStatus& endpoint : database.endpoints) {
      if (endpoint.role == EndpointRole::write || endpoint.role == EndpointRole::read) continue;
      const HealthReport* own = http::report_of(reports, database.name, endpoint);
      const HealthReport* report = endpoint.configured ? own : nullptr;
      table.add({name_cell(database, endpoint), state_cell(database, endpoint, own),
                 report != nullptr && report->healthy
                     ? std::to_string(report->pool_size) + "/" + std::to_string(report->pool_max)
                     : "",
                 report != nullptr ? short_duration(report->took) : ""});
    }
  }
  return table.text(paint) + troubles(reports, paint, width) + notes(status, paint);
}

ExitCode health_exit_code(const FleetStatus& status, const std::vector<HealthReport>& reports) {
  std::size_t serving = 0, down = 0;
  for (const DatabaseStatus& database : status.databases) {
    for (const EndpointStatus& endpoint : database.endpoints) {
      // A required database that nobody configured is missing.
      const bool missing = database.required && endpoint.role == EndpointRole::primary;
      const HealthReport* own = http::report_of(reports, database.name, endpoint);
      if ((!endpoint.configured && !missing) || own == nullptr) continue;
      ++(own->healthy ? serving : down);
    }
  }
  if (down == 0) return ExitCode::ok;
  return serving == 0 ? ExitCode::unreachable : ExitCode::partial;
}

}  // namespace switchyard::cli
