// WellWon: accounts, companies and declarations in `main`, customs reference data in `reference`.
//
//   POSTGRES_DSN=postgresql://... POSTGRES_REFERENCE_DSN=postgresql://... build/release/bin/example_wellwon
//   build/release/bin/example_wellwon --config examples/wellwon.toml     the same variables, with WellWon's sizes
//
// The databases hold what examples/wellwon/*.sql puts there.
#include <switchyard/switchyard.hpp>

#include <cstdio>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace sy = switchyard;

inline constexpr sy::Database<"main"> main_db;
inline constexpr sy::Database<"reference"> reference;

namespace {

void expect(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error("not as expected: " + what);
}

// Test #1: each database has a connection string of its own.
void show_connection_strings(const sy::FleetConfig& config) {
  const auto& main = config.find("main")->primary;
  const auto& ref = config.find("reference")->primary;
  std::printf("\nTest #1: connection strings\n  main       %s\n  reference  %s\n", main.display().c_str(),
              ref.display().c_str());
  expect(main.connection.location() != ref.connection.location(), "two databases");
}

// Test #2: and a pool of its own size.
void show_pools(const sy::FleetConfig& config) {
  std::printf("\nTest #2: pool configuration\n");
  for (const char* name : {"main", "reference"}) {
    const sy::PoolConfig& pool = config.find(name)->pool;
    std::printf("  %-9s  %u/%u sessions, maximum from %s\n", name, *pool.min, *pool.max,
                pool.max.origin.to_string().c_str());
  }
}

// Test #3: a query goes to the database it names.
sy::Task<void> query_both(sy::Fleet& fleet) {
  const auto users = co_await fleet[main_db].query("SELECT * FROM user_accounts LIMIT 1");
  const auto customs = co_await fleet[reference].query("SELECT * FROM dc_customs LIMIT 1");
  std::printf("\nTest #3: rows of both databases\n");
  expect(users.size() == 1 && customs.size() == 1, "a row of each database");
  std::printf("  user_accounts  %s\n  dc_customs     %s\n", users[0].get<std::string>("email").c_str(),
              customs[0].get<std::string>("code").c_str());
}

struct FormDefinition {
  std::int32_t id;
  std::string document_mode_id;
  std::optional<std::string> gf_code;
  std::optional<std::string> type_name;
  std::optional<sy::Json> fields;
  std::optional<sy::Json> default_values;
};

struct CustomsOffice {
  std::int32_t id;
  std::string code;
  std::optional<std::string> short_name;
  std::optional<std::string> full_name;
};

struct DeclarationType {
  std::int32_t id;
  std::optional<std::string> kontur_id;
  std::optional<std::string> description;
};

/// Reads of the customs domain. They may be answered by a replica of the reference database.
class DeclarantReadRepo {
 public:
  explicit DeclarantReadRepo(sy::Fleet& fleet) : reads_(fleet[reference].read()) {}

  sy::Task<std::optional<FormDefinition>> get_form_definition(std::string document_mode_id) {
    co_return co_await reads_.query_optional<FormDefinition>(
        "SELECT id, document_mode_id, gf_code, type_name, fields, default_values FROM dc_form_definitions "
        "WHERE document_mode_id = $1 AND is_active = TRUE",
        document_mode_id);
  }

  /// All offices, or those whose short name contains `search` in any case.
  sy::Task<std::vector<CustomsOffice>> get_customs_list(std::optional<std::string> search = {}) {
    if (!search) {
      co_return co_await reads_.query<CustomsOffice>(
          "SELECT id, code, short_name, full_name FROM dc_customs WHERE is_active = TRUE ORDER BY short_name");
    }
    co_return co_await reads_.query<CustomsOffice>(
        "SELECT id, code, short_name, full_name FROM dc_customs WHERE is_active = TRUE AND short_name ILIKE $1 "
        "ORDER BY short_name",
        "%" + *search + "%");
  }

  sy::Task<std::vector<DeclarationType>> get_declaration_types() {
    co_return co_await reads_.query<DeclarationType>(
        "SELECT id, kontur_id, description FROM dc_declaration_types WHERE is_active = TRUE ORDER BY kontur_id");
  }

 private:
  sy::ReadView reads_;
};

sy::Task<void> use_repository(sy::Fleet& fleet) {
  DeclarantReadRepo repository(fleet);
  std::printf("\nDeclarantReadRepo\n");
  const auto form = co_await repository.get_form_definition("1002007E");
  expect(form.has_value(), "form definition 1002007E");
  std::printf("  form 1002007E  %s, fields %s\n", form->type_name.value_or("?").c_str(),
              form->fields.value_or(sy::Json{"null"}).text.c_str());
  for (const CustomsOffice& office : co_await repository.get_customs_list("шереметьев")) {
    std::printf("  found office   %s %s\n", office.code.c_str(), office.short_name.value_or("?").c_str());
  }
  std::printf("  offices        %zu\n", (co_await repository.get_customs_list()).size());
  for (const DeclarationType& type : co_await repository.get_declaration_types()) {
    std::printf("  declaration    %s\n", type.description.value_or("?").c_str());
  }
}

struct Declaration {
  sy::Uuid id;
  std::optional<std::string> declaration_number;
  std::optional<std::string> customs_office_code;
};

struct OfficeName {
  std::string code;
  std::optional<std::string> short_name;
};

// No statement can join two databases: the program does it, with one query of each.
sy::Task<void> list_declarations_with_office_names(sy::Fleet& fleet, sy::Uuid company) {
  const auto declarations = co_await fleet[main_db].read().query<Declaration>(
      "SELECT id, declaration_number, customs_office_code FROM customs_declarations WHERE company_id = $1 "
      "ORDER BY created_at",
      company);
  const auto offices = co_await fleet[reference].read().query<OfficeName>(
      "SELECT code, short_name FROM dc_customs WHERE is_active = TRUE");
  std::map<std::string, std::string> names;
  for (const OfficeName& office : offices) names[office.code] = office.short_name.value_or("Unknown");

  std::printf("\nDeclarations with office names\n");
  for (const Declaration& declaration : declarations) {
    const auto name = names.find(declaration.customs_office_code.value_or(""));
    std::printf("  %s  %s\n", declaration.declaration_number.value_or("?").c_str(),
                name == names.end() ? "Unknown" : name->second.c_str());
  }
}

/// Two inserts on one session: both are kept or none.
sy::Task<void> add_office(sy::Fleet& fleet, std::string kontur_id, std::string code, std::string short_name,
                          bool accepted) {
  co_await fleet[reference].transaction([&](sy::Transaction& tx) -> sy::Task<void> {
    co_await tx.execute("INSERT INTO dc_customs (kontur_id, code, short_name) VALUES ($1, $2, $3)", kontur_id, code,
                        short_name);
    co_await tx.execute("INSERT INTO dc_form_sync_history (sync_type, status) VALUES ($1, $2)", "single",
                        "success");
    if (!accepted) throw std::runtime_error("Kontur refused office " + code);
  });
}

sy::Task<bool> has_office(sy::Fleet& fleet, std::string code) {
  co_return co_await fleet[reference].query_value<bool>("SELECT EXISTS (SELECT 1 FROM dc_customs WHERE code = $1)",
                                                        code);
}

sy::Task<std::int64_t> count_syncs(sy::Fleet& fleet) {
  co_return co_await fleet[reference].query_value<std::int64_t>("SELECT count(*) FROM dc_form_sync_history");
}

sy::Task<void> write_in_transactions(sy::Fleet& fleet) {
  // So that the program can be run again.
  co_await fleet[reference].execute("DELETE FROM dc_customs WHERE code = $1", "10000000");
  std::printf("\nTransactions\n");
  const auto before = co_await count_syncs(fleet);
  co_await add_office(fleet, "12345", "10000000", "Moscow Customs", true);
  expect(co_await has_office(fleet, "10000000") && co_await count_syncs(fleet) == before + 1, "both rows");
  std::printf("  10000000  committed: both rows are there\n");
  try {
    co_await add_office(fleet, "12346", "10000002", "Nobody's Customs", false);
    expect(false, "an exception");
  } catch (const std::runtime_error& error) {
    std::printf("  10000002  %s\n", error.what());
  }
  expect(!co_await has_office(fleet, "10000002") && co_await count_syncs(fleet) == before + 1, "neither row");
  std::printf("  10000002  rolled back: neither row is there\n");
}

sy::Task<void> show_health(sy::Fleet& fleet) {
  std::printf("\nHealth\n");
  for (const sy::HealthReport& report : co_await fleet.health_all()) {
    std::printf("  database=%s status=%s ", report.database.c_str(), report.healthy ? "healthy" : "unhealthy");
    if (report.healthy) {
      std::printf("pool_size=%u pool_max=%u breaker=%s\n", report.pool_size, report.pool_max,
                  report.breaker.c_str());
    } else {
      std::printf("error=%s breaker=%s\n", report.error.c_str(), report.breaker.c_str());
    }
  }
}

sy::Task<void> wellwon(sy::Fleet& fleet) {
  for (const char* name : {"main", "reference"}) {
    const sy::DatabaseConfig& database = *fleet.config().find(name);
    if (!database.configured()) throw sy::Error(sy::ErrorKind::Config, database.missing_dsn_message);
  }
  co_await fleet.warm_up();
  show_connection_strings(fleet.config());
  show_pools(fleet.config());
  co_await query_both(fleet);
  co_await use_repository(fleet);
  const auto company =
      co_await fleet[main_db].query_value<sy::Uuid>("SELECT id FROM companies WHERE inn = $1", "7701234567");
  co_await list_declarations_with_office_names(fleet, company);
  co_await write_in_transactions(fleet);
  co_await show_health(fleet);
}

/// The library says nothing by itself: the program decides where its events go.
class Console final : public sy::log::Sink {
 public:
  void write(const sy::log::Event& event) noexcept override {
    if (event.level == sy::log::Level::debug) return;
    std::fprintf(stderr, "%.*s\n", static_cast<int>(event.message.size()), event.message.data());
  }
};

}  // namespace

int main(int argc, char** argv) {
  static Console console;
  sy::log::set_sink(&console);
  const int code = sy::run(argc, argv, wellwon);
  if (code == sy::kExitWrongConfiguration) {
    std::fputs(
        "next: set POSTGRES_DSN and POSTGRES_REFERENCE_DSN, or start private servers, which prints theirs:\n"
        "  switchyard up --config examples/wellwon.toml\n",
        stderr);
  }
  return code;
}
