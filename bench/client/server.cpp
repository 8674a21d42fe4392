// The server of the client benchmark: a private cluster on TCP loopback, not durable, in memory, with the tables of
// the query set. Prints its connection string; then each line of its input empties the tables that are written to.
// It ends with its input.
#include <switchyard/embedded/private_cluster.hpp>

#include <iostream>
#include <string>

namespace {

constexpr std::string_view kTables =
    "CREATE TABLE _bytes (value bytea);"
    "INSERT INTO _bytes SELECT convert_to(repeat(chr(97 + i % 26), 1024), 'UTF8') FROM generate_series(1, 100) i;"
    "CREATE TABLE _arrays (value int[]);"
    "INSERT INTO _arrays SELECT array(SELECT i * 100 + j FROM generate_series(1, 100) j) FROM generate_series(1, "
    "100) i;"
    "CREATE UNLOGGED TABLE _batch (a int, b text);"
    "CREATE UNLOGGED TABLE _copy (a int, b bigint, c text);"
    "VACUUM ANALYZE";

int fail(const switchyard::Error& error) {
  std::cerr << error.what() << '\n';
  return 1;
}

}  // namespace

int main() {
  using namespace switchyard;
  embedded::ClusterOptions options;
  options.name = "client-bench";
  options.storage = embedded::Storage::memory;
  options.tcp_port = 0;
  options.hba = {"host all all 127.0.0.1/32 trust"};
  options.stat_statements = false;
  options.settings = {{"shared_buffers", "256MB"}, {"autovacuum", "off"},   {"jit", "off"},
                      {"max_connections", "120"},  {"max_wal_size", "4GB"}, {"synchronous_commit", "off"}};
  auto cluster = embedded::PrivateCluster::start(std::move(options));
  if (!cluster.ok()) return fail(cluster.error());
  embedded::PrivateServer& server = (*cluster)->primary();
  for (std::string_view rest = kTables; !rest.empty();) {
    const std::string_view statement = rest.substr(0, rest.find(';'));
    if (auto done = server.execute(statement); !done.ok()) return fail(done.error());
    rest.remove_prefix(std::min(rest.size(), statement.size() + 1));
  }
  const auto endpoint = server.tcp_endpoint();
  if (!endpoint.ok()) return fail(endpoint.error());
  const auto version = server.query_value("SHOW server_version");
  if (!version.ok()) return fail(version.error());
  std::cout << endpoint->uri() << '\n' << *version << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    if (auto done = server.execute("TRUNCATE _batch, _copy"); !done.ok()) return fail(done.error());
    std::cout << "done" << std::endl;
  }
  return 0;
}
