#include "site.hpp"

namespace lane_bench {

namespace embedded = switchyard::embedded;

Site::Site() {
  embedded::ClusterOptions options;
  options.name = "lane-bench";
  options.storage = embedded::Storage::memory;
  options.tcp_port = 0;
  options.hba = {"host all all 127.0.0.1/32 trust"};
  options.stat_statements = false;
  options.settings = {{"shared_buffers", "256MB"},          {"autovacuum", "off"},   {"jit", "off"},
                      {"max_connections", kMaxConnections}, {"max_wal_size", "4GB"}, {"synchronous_commit", "off"}};
  cluster_ = embedded::PrivateCluster::start(std::move(options)).value_or_throw();
  server().create_role(kRole).value_or_throw();
  const std::string last = std::to_string(kRows);
  // Room on each page, so that an update stays on it and touches no index.
  server()
      .execute(
          "CREATE TABLE items (id int PRIMARY KEY, v int NOT NULL) WITH (fillfactor = 80);"
          "INSERT INTO items SELECT i, i FROM generate_series(1, " +
          last +
          ") i;"
          "CREATE TABLE locked (id int PRIMARY KEY, v int NOT NULL);"
          "INSERT INTO locked SELECT i, i FROM generate_series(1, 100) i;"
          "GRANT ALL ON items, locked TO " +
          kRole)
      .value_or_throw();
  server().execute("VACUUM ANALYZE").value_or_throw();
}

std::string Site::host(Transport transport) const {
  return transport == Transport::tcp ? "127.0.0.1" : server().endpoint().host;
}

std::uint16_t Site::port(Transport transport) const {
  return transport == Transport::tcp ? server().tcp_endpoint().value_or_throw().port : server().endpoint().port;
}

std::string Site::keywords(Transport transport) const {
  return "host=" + host(transport) + " port=" + std::to_string(port(transport)) + " dbname=" + kDatabase +
         " user=" + kRole + " sslmode=disable";
}

std::string Site::version() const { return server().query_value("SHOW server_version").value_or_throw(); }

}  // namespace lane_bench
