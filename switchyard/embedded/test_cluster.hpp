// Real databases for tests: one private cluster a test process, started when the first test asks, and a fresh
// database for every test, cloned from a template in a tenth of a second.
//
//   TEST(Orders, AreNumberedFromOne) {
//     TestDatabase db = TestDatabase::with("CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY)");
//     auto session = connect(db.endpoint());
//     ...
//   }
//
// SWITCHYARD_TEST_PG=15 or 18 chooses the server version (unset: the best installed). Everything is removed when
// the process ends; after a crash, by the next test process.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/embedded/private_cluster.hpp>

#include <string>
#include <string_view>

namespace switchyard::inline v0::embedded {

/// The options that TestCluster uses: not durable, in memory, TCP on any free port, of the version that
/// SWITCHYARD_TEST_PG asks for. For tests that need a cluster of their own.
[[nodiscard]] SWITCHYARD_API ClusterOptions test_options();

/// The shared cluster of this process.
class SWITCHYARD_API TestCluster {
 public:
  /// Starts it on first use. Throws Error if it can't be started: a test can't go on without.
  static PrivateCluster& shared();
  /// Its streaming replica, made on first use: "replica".
  static PrivateServer& replica();
};

/// A database of its own on the shared cluster, dropped with this object (sessions on it are ended). Move-only.
class SWITCHYARD_API TestDatabase {
 public:
  /// An empty database.
  TestDatabase();
  /// A database in which `setup` has run. The result is kept as a template: later calls with the same text clone
  /// it.
  [[nodiscard]] static TestDatabase with(std::string_view setup);

  TestDatabase(TestDatabase&& other) noexcept;
  TestDatabase& operator=(TestDatabase&&) = delete;
  ~TestDatabase();

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] PrivateServer& server() const { return TestCluster::shared().primary(); }
  /// Over the Unix socket, as superuser, without a password.
  [[nodiscard]] ServerEndpoint endpoint() const;
  /// Over TCP on 127.0.0.1, as superuser with its password (SCRAM).
  [[nodiscard]] ServerEndpoint tcp_endpoint() const;
  /// Runs statements here. Throws the server's Error.
  SqlResult execute(std::string_view sql);
  /// The only column of the only row, "" if NULL. Throws Error.
  std::string query_value(std::string_view sql);

 private:
  explicit TestDatabase(std::string_view template_database);
  std::string name_;
};

}  // namespace switchyard::inline v0::embedded
