// ChiroERP: one PostgreSQL database, `chiro_erp`, with a schema and a login role for each of eight services. Each
// is a database of the fleet with sessions of its own, and sees its own tables only.
//
//   build/release/bin/example_chiroerp --config examples/chiroerp.toml
//       with CHIRO_ERP_DSN=postgresql://localhost:5432/chiro_erp and CORE_DB_PASSWORD, ...
//   build/release/bin/example_chiroerp
//       with POSTGRES_CORE_DSN=postgresql://core_user@localhost:5432/chiro_erp?currentSchema=core_schema and the
//       other seven
//
// The schemas hold what examples/chiroerp/*.sql puts there.
#include <switchyard/switchyard.hpp>

#include <array>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

namespace sy = switchyard;

inline constexpr sy::Database<"core"> core;
inline constexpr sy::Database<"analytics"> analytics;
inline constexpr sy::Database<"commerce"> commerce;
inline constexpr sy::Database<"crm"> crm;
inline constexpr sy::Database<"finance"> finance;
inline constexpr sy::Database<"logistics"> logistics;
inline constexpr sy::Database<"operations"> operations;
inline constexpr sy::Database<"supply"> supply;

namespace {

/// What a session says about itself.
struct Session {
  std::string role;
  std::string database;
  std::string search_path;
  std::string first_table;
  std::int64_t tables;
};

struct Product {
  std::string sku;
  std::string name;
};

void expect(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error("not as expected: " + what);
}

sy::Task<void> show_connections(sy::Fleet& fleet) {
  std::printf("eight connections\n");
  for (sy::DatabaseHandle service : {fleet[core], fleet[analytics], fleet[commerce], fleet[crm], fleet[finance],
                                     fleet[logistics], fleet[operations], fleet[supply]}) {
    const auto session = co_await service.query_one<Session>(
        "SELECT current_user::text AS role, current_database()::text AS database, "
        "current_setting('search_path') AS search_path, min(table_name::text) AS first_table, "
        "count(*) AS tables FROM information_schema.tables WHERE table_schema = current_schema()");
    const std::string name(service.name());
    std::printf("  %-10s  %-15s  %-17s  %lld tables, %s first\n", name.c_str(), session.role.c_str(),
                session.search_path.c_str(), static_cast<long long>(session.tables), session.first_table.c_str());
    expect(session.role == name + "_user", name + " logs in as its own role");
    expect(session.search_path == name + "_schema", name + " sees its own schema");
    expect(session.database == "chiro_erp", "one database for all");
  }
}

sy::Task<void> show_isolation(sy::Fleet& fleet) {
  std::printf("isolation\n");
  const auto products = co_await fleet[commerce].query<Product>("SELECT sku, name FROM products ORDER BY sku");
  std::printf("  commerce reads its products: %zu\n", products.size());

  // .result() gives the error as a value instead of throwing it.
  const auto invoices = co_await fleet[commerce].query("SELECT * FROM finance_schema.invoices").result();
  expect(!invoices.ok(), "commerce may not read finance's invoices");
  std::printf("  commerce reads finance's invoices: %s\n", std::string(invoices.error().message()).c_str());
  expect(invoices.error().sqlstate() == "42501", "insufficient privilege");

  const auto own = co_await fleet[finance].query_value<std::int64_t>("SELECT count(*) FROM invoices");
  std::printf("  finance reads its invoices: %lld\n", static_cast<long long>(own));
}

sy::Task<void> chiroerp(sy::Fleet& fleet) {
  const sy::DatabaseConfig& first = *fleet.config().find("core");
  if (!first.configured()) throw sy::Error(sy::ErrorKind::Config, first.missing_dsn_message);
  co_await show_connections(fleet);
  co_await show_isolation(fleet);
}

}  // namespace

int main(int argc, char** argv) {
  const int code = sy::run(argc, argv, chiroerp);
  if (code == sy::kExitWrongConfiguration) {
    std::fputs(
        "next: --config examples/chiroerp.toml with CHIRO_ERP_DSN set, or start a private server, which prints\n"
        "its connection strings:\n"
        "  switchyard up --config examples/chiroerp.toml\n",
        stderr);
  }
  return code;
}
