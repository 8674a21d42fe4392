// ParaFort: starts with one database; analytics, documents, compliance and a read replica join when their
// variables are set. Code does not change: main takes over for whatever is not configured.
//
//   DATABASE_URL=postgresql://... build/release/bin/example_parafort
//   build/release/bin/example_parafort --config examples/parafort.toml     the same variables
//
// The databases hold what examples/parafort/*.sql puts there; one database alone holds all of it.
#include <switchyard/switchyard.hpp>

#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sy = switchyard;

inline constexpr sy::Database<"main"> main_db;
inline constexpr sy::Database<"analytics"> analytics;
inline constexpr sy::Database<"documents"> documents;
inline constexpr sy::Database<"compliance"> compliance;

namespace {

struct User {
  std::int64_t id;
  std::string email;
  std::string full_name;
};

struct Activity {
  std::int64_t user_id;
  std::string action;
};

struct Place {
  std::string database;
  bool standby;
};

/// Which server answers: the database it holds, and whether it is a replica.
sy::Task<std::string> place_of(sy::Querier& querier) {
  const auto place =
      co_await querier.query_one<Place>("SELECT current_database() AS database, pg_is_in_recovery() AS standby");
  co_return place.database + (place.standby ? " (replica)" : "");
}

void print(const char* what, const std::string& place, const std::string& result) {
  std::printf("  %-18s %-28s %s\n", what, place.c_str(), result.c_str());
}

// The fleet chooses by what an operation does and which domain its data belongs to.
sy::Task<void> automatic_selection(sy::Fleet& fleet) {
  using enum sy::OperationKind;
  std::printf("automatic selection\n");

  auto reads = fleet.database_for(read).value_or_throw();
  const auto users = co_await reads.query<User>("SELECT id, email, full_name FROM users ORDER BY id");
  print("read", co_await place_of(reads), std::to_string(users.size()) + " users");

  auto metrics = fleet.database_for(write, "analytics").value_or_throw();
  co_await metrics.execute("INSERT INTO business_metrics (metric, value) VALUES ($1, $2::int)", "active_users",
                           static_cast<std::int32_t>(users.size()));
  print("write, analytics", co_await place_of(metrics), "a metric");

  auto files = fleet.database_for(write, "documents").value_or_throw();
  const auto document = co_await files.query_value<std::int64_t>(
      "INSERT INTO documents (owner_id, file_name) VALUES ($1, $2) RETURNING id", users.at(0).id, "minutes.pdf");
  print("write, documents", co_await place_of(files), "document " + std::to_string(document));

  auto filings = fleet.database_for(write, "compliance").value_or_throw();
  const auto filing = co_await filings.query_value<std::int64_t>(
      "INSERT INTO boir_filings (entity_id, status) VALUES ($1, 'draft') RETURNING id", std::int64_t{3});
  print("write, compliance", co_await place_of(filings), "filing " + std::to_string(filing));

  auto reports = fleet.database_for(read, "documents").value_or_throw();
  print("read, documents", co_await place_of(reports), "");
}

// Or the program names the database.
sy::Task<void> manual_selection(sy::Fleet& fleet) {
  std::printf("manual selection\n");
  auto main = fleet[main_db];
  const auto users = co_await main.query<User>("SELECT id, email, full_name FROM users ORDER BY id");
  print("main", co_await place_of(main), std::to_string(users.size()) + " users");

  auto activity = fleet[analytics];
  const auto actions = co_await activity.query<Activity>("SELECT user_id, action FROM user_activity ORDER BY id");
  print("analytics", co_await place_of(activity), std::to_string(actions.size()) + " actions");

  auto files = fleet[documents];
  const auto names = co_await files.query<std::string>("SELECT file_name FROM documents ORDER BY id LIMIT 1");
  print("documents", co_await place_of(files), names.at(0));

  auto filings = fleet[compliance];
  const auto status = co_await filings.query_value<std::string>("SELECT status FROM boir_filings WHERE id = 1");
  print("compliance", co_await place_of(filings), "filing 1 is " + status);
}

/// true and false as /api/health/databases says them: does this database's own endpoint serve?
sy::Task<void> health(sy::Fleet& fleet) {
  std::printf("health\n");
  for (const sy::HealthReport& report : co_await fleet.health_all()) {
    std::printf("  %-18s %s\n", report.database.c_str(), report.healthy ? "true" : "false");
    for (const sy::HealthReport& replica : report.replicas) {
      std::printf("  %-18s %s\n", replica.database.c_str(), replica.healthy ? "true" : "false");
    }
  }
}

sy::Task<void> parafort(sy::Fleet& fleet) {
  const sy::DatabaseConfig& main = *fleet.config().find("main");
  if (!main.configured()) throw sy::Error(sy::ErrorKind::Config, main.missing_dsn_message);
  co_await automatic_selection(fleet);
  co_await manual_selection(fleet);
  co_await health(fleet);
}

}  // namespace

int main(int argc, char** argv) {
  const int code = sy::run(argc, argv, parafort);
  if (code == sy::kExitWrongConfiguration) {
    std::fputs(
        "next: set DATABASE_URL, or start private servers, which prints their connection strings:\n"
        "  switchyard up --config examples/parafort.toml\n",
        stderr);
  }
  return code;
}
