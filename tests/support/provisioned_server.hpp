// A server of one's own with TCP and passwords, and fleet files for it: for tests of provisioning.
#pragma once

#include <switchyard/config/connection_string.hpp>
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/provision/administrator.hpp>
#include <switchyard/provision/provisioner.hpp>
#include <switchyard/provision/secret_store.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <tests/support/temp_folder.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace switchyard::provision::testing {

/// Runs texts as one role in one database, over TCP, with its password.
class Login {
 public:
  Login(std::string user, const Secret& password, std::uint16_t port, const std::string& database,
        const std::string& sslmode = "disable")
      : options_(parse_connection_string("host=127.0.0.1 port=" + std::to_string(port) + " user=" + user +
                                             " dbname=" + database + " sslmode=" + sslmode,
                                         {})
                     .value_or_throw()) {
    options_.password = password;
    for (HostSpec& host : options_.hosts) host.password = password;
  }
  /// The same of several texts, each on fresh ground, over one session.
  std::vector<std::string> run_each(const std::vector<std::string>& all) const {
    runtime::Shard shard;
    return shard.run_until_complete(
        [](ConnectionOptions options, std::vector<std::string> texts) -> Task<std::vector<std::string>> {
          auto fleet = Fleet::open(single_config("test", options)).value_or_throw();
          std::vector<std::string> out;
          {
            Lease lease =
                co_await fleet->database(options.dbname).value_or_throw().lease(fleet::OnConnectFailure::fail);
            for (const std::string& text : texts) {
              const auto done = co_await as_result(run_script(lease, text));
              out.push_back(done.ok() ? std::string() : std::string(done.error().sqlstate()));
              co_await lease.script("ROLLBACK");
              co_await lease.script("DISCARD ALL");
            }
          }
          co_await fleet->close();
          co_return out;
        }(options_, all));
  }
  /// SQLSTATE of the first error; "" if all went well.
  std::string run(const std::string& sql) const {
    runtime::Shard shard;
    return shard.run_until_complete([](ConnectionOptions options, std::string text) -> Task<std::string> {
      auto fleet = Fleet::open(single_config("test", options)).value_or_throw();
      auto done = co_await as_result(go(*fleet, options.dbname, text));
      co_await fleet->close();
      if (done.ok()) co_return std::string();
      const std::string state(done.error().sqlstate());
      co_return state.empty() ? std::string(done.error().what()) : state;
    }(options_, sql));
  }

 private:
  static Task<void> run_script(Lease& lease, std::string text) { co_await lease.script(text); }
  static Task<void> go(Fleet& fleet, std::string database, std::string sql) {
    Lease lease = co_await fleet.database(database).value_or_throw().lease(fleet::OnConnectFailure::fail);
    co_await lease.script(sql);
  }
  ConnectionOptions options_;
};

class Server {
 public:
  explicit Server(std::optional<embedded::ServerTls> tls = std::nullopt) {
    embedded::ClusterOptions options = embedded::test_options();
    options.tls = std::move(tls);
    options.tcp_port = 0;
    options.superuser_password = Secret("administrator");
    cluster_ = embedded::PrivateCluster::start(std::move(options)).value_or_throw();
  }
  [[nodiscard]] embedded::PrivateServer& primary() const { return cluster_->primary(); }
  [[nodiscard]] std::uint16_t port() const { return primary().tcp_endpoint().value_or_throw().port; }
  void execute(const std::string& sql, const std::string& database = "postgres") const {
    primary().execute(sql, database).value_or_throw();
  }
  [[nodiscard]] std::string value(const std::string& sql, const std::string& database = "postgres") const {
    return primary().query_value(sql, database).value_or_throw();
  }
  /// Of a fleet file's text with $PORT for the server's.
  [[nodiscard]] FleetConfig config(std::string text, const std::string& more = "") const {
    for (std::size_t at = text.find("$PORT"); at != std::string::npos; at = text.find("$PORT")) {
      text.replace(at, 5, std::to_string(port()));
    }
    Sources sources;
    sources.file = folder_.file("fleet.toml");
    sources.file_text = text + "\n[provision]\nadmin_password = \"administrator\"\n" + more;
    return load_config(sources).value_or_throw();
  }
  [[nodiscard]] Login as(const std::string& role, const std::string& database) const {
    return Login(role, kept_password(secret(role)).value_or(Secret("nobody knows")), port(), database);
  }
  [[nodiscard]] std::string secret(const std::string& role) const { return folder_.file("secrets/" + role); }

 private:
  switchyard::testing::TempFolder folder_;
  std::unique_ptr<embedded::PrivateCluster> cluster_;
};

inline std::vector<ServerReport> run_plan(const FleetConfig& fleet, ProvisionOptions options = {}) {
  runtime::Shard shard;
  return shard.run_until_complete(plan(fleet, std::move(options)));
}
inline std::vector<ServerReport> run_apply(const FleetConfig& fleet, ProvisionOptions options = {}) {
  runtime::Shard shard;
  return shard.run_until_complete(apply(fleet, std::move(options)));
}
inline std::string error_of(const std::vector<ServerReport>& reports) {
  for (const ServerReport& one : reports) {
    if (one.error) return one.error->what();
  }
  return {};
}
inline std::vector<std::string> texts(const std::vector<Step>& steps) {
  std::vector<std::string> out;
  for (const Step& step : steps) out.push_back(step.text());
  return out;
}

inline const std::string kChiroErp = R"(
[fleet]
application = "chiroerp"
[server.erp]
host = "127.0.0.1"
port = $PORT
dbname = "chiro_erp"
options = { sslmode = "disable" }
[database.core]
server = "erp"
schema = "core_schema"
role = "core_user"
[database.analytics]
server = "erp"
schema = "analytics_schema"
role = "analytics_user"
[database.commerce]
server = "erp"
schema = "commerce_schema"
role = "commerce_user"
[database.crm]
server = "erp"
schema = "crm_schema"
role = "crm_user"
[database.finance]
server = "erp"
schema = "finance_schema"
role = "finance_user"
[database.logistics]
server = "erp"
schema = "logistics_schema"
role = "logistics_user"
[database.operations]
server = "erp"
schema = "operations_schema"
role = "operations_user"
[database.supply]
server = "erp"
schema = "supply_schema"
role = "supply_user"
)";

inline const std::string kWellWon = R"(
[database.main]
dsn = "postgresql://wellwon@127.0.0.1:$PORT/wellwon?sslmode=disable"
command_timeout = "60s"
[database.reference]
dsn = "postgresql://wellwon@127.0.0.1:$PORT/wellwon_reference?sslmode=disable"
command_timeout = "30s"
[database.reference.provision]
readonly = "wellwon_reference_readonly"
)";

}  // namespace switchyard::provision::testing
