#include <switchyard/embedded/private_cluster.hpp>
#include <switchyard/embedded/server_folder.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <tests/support/libpq.hpp>
#include <tests/support/temp_folder.hpp>
#include <tests/support/tls_files.hpp>
#include <tests/support/wait_until.hpp>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

extern char** environ;

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using namespace switchyard;
using namespace switchyard::embedded;
using switchyard::testing::PqSession;
using switchyard::testing::TempFolder;
using switchyard::testing::TlsFiles;
using switchyard::testing::wait_until;
using ::testing::HasSubstr;
using ::testing::Not;

std::unique_ptr<PrivateCluster> start(ClusterOptions options) {
  return PrivateCluster::start(std::move(options)).value_or_throw();
}

std::unique_ptr<PrivateCluster> start_socket_only() {
  ClusterOptions options = test_options();
  options.tcp_port.reset();
  return start(std::move(options));
}

/// A folder for clusters that stay, through which the servers' account may pass. In memory where that is possible:
/// durable clusters sync much.
class KeptFolder {
 public:
  KeptFolder() {
    if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp " + path_);
    fs::permissions(path_, fs::perms(0755));
  }
  KeptFolder(const KeptFolder&) = delete;
  KeptFolder& operator=(const KeptFolder&) = delete;
  ~KeptFolder() { fs::remove_all(path_); }
  [[nodiscard]] ClusterOptions options() const {
    ClusterOptions options = test_options();
    options.tcp_port.reset();
    options.folder = path_ + "/data";
    return options;
  }

 private:
  std::string path_ = fs::is_directory("/dev/shm") ? "/dev/shm/sytest-XXXXXX" : "/tmp/sytest-XXXXXX";
};

bool alive(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(in, text);
  const auto at = text.rfind(')');
  return at != std::string::npos && text.at(at + 2) != 'Z';
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

uid_t owner_of(const fs::path& path) {
  struct stat status{};
  EXPECT_EQ(stat(path.c_str(), &status), 0) << path;
  return status.st_uid;
}

void expect_value(PrivateServer& server, std::string_view sql, std::string_view expected,
                  std::string_view database = "postgres") {
  auto value = server.query_value(sql, database);
  ASSERT_TRUE(value.ok()) << value.error().what();
  EXPECT_EQ(*value, expected) << sql;
}

// --- starting and stopping
// -----------------------------------------------------------------------------------------

TEST(PrivateCluster, StartsAnswersAndLeavesNothingBehind) {
  std::string folder;
  pid_t pid = -1;
  {
    auto cluster = start_socket_only();
    folder = cluster->folder();
    pid = cluster->primary().pid();
    expect_value(cluster->primary(), "SELECT 41 + 1", "42");
    EXPECT_TRUE(alive(pid));
  }
  EXPECT_FALSE(fs::exists(folder));
  EXPECT_FALSE(alive(pid));
}

TEST(PrivateCluster, RunsOnEveryInstalledVersionWithAReplica) {
  std::vector<int> seen;
  for (const PostgresBinaries& binaries : list_postgres()) {
    ClusterOptions options = test_options();
    options.binaries = {.folder = binaries.folder, .major = binaries.major};
    auto cluster = start(options);
    EXPECT_EQ(cluster->primary().major_version(), binaries.major);
    expect_value(cluster->primary(), "SELECT current_setting('server_version_num')::int / 10000",
                 std::to_string(binaries.major));
    auto replica = cluster->add_replica("replica");
    ASSERT_TRUE(replica.ok()) << replica.error().what();
    expect_value(**replica, "SELECT pg_is_in_recovery()", "t");
    seen.push_back(binaries.major);
  }
  EXPECT_FALSE(seen.empty());
}

TEST(PrivateCluster, NeverRunsServersAsRoot) {
  auto cluster = start_socket_only();
  const fs::path data = cluster->primary().data_folder();
  const uid_t runs_as = owner_of("/proc/" + std::to_string(cluster->primary().pid()));
  EXPECT_NE(runs_as, 0U);
  EXPECT_EQ(owner_of(data), runs_as);
  EXPECT_EQ(fs::status(data).permissions(), fs::perms(0700));
  if (geteuid() == 0) {
    // Others can't turn the folder into something else while root works in it.
    EXPECT_EQ(owner_of(cluster->folder()), 0U);
    EXPECT_THAT(read_file("/proc/" + std::to_string(cluster->primary().pid()) + "/status"),
                Not(HasSubstr("Groups:\t0")));
  }
}

TEST(PrivateCluster, ListensOnItsSocketOnlyUnlessAsked) {
  auto cluster = start_socket_only();
  expect_value(cluster->primary(), "SHOW listen_addresses", "");
  EXPECT_FALSE(cluster->primary().tcp_endpoint().ok());
  // Others of this machine may not connect: nobody is asked for a password here.
  const std::string socket = cluster->socket_folder() + "/.s.PGSQL.5432";
  EXPECT_EQ(fs::status(socket).permissions(), fs::perms(0700));
}

TEST(PrivateCluster, AsksForAPasswordOverTcp) {
  auto cluster = start(test_options());
  const ServerEndpoint endpoint = cluster->primary().tcp_endpoint().value_or_throw();
  PqSession good(endpoint.keywords());
  ASSERT_TRUE(good.connected()) << good.error();
  EXPECT_EQ(good.value("SELECT inet_server_addr()"), "127.0.0.1");
  PqSession by_uri(endpoint.uri());
  EXPECT_TRUE(by_uri.connected()) << by_uri.error();

  ServerEndpoint wrong = endpoint;
  wrong.password = Secret("wrong");
  PqSession refused(wrong.keywords());
  EXPECT_FALSE(refused.connected());
  EXPECT_THAT(refused.error(), HasSubstr("password authentication failed"));
}

TEST(PrivateCluster, LetsLibpqInOverTheSocket) {
  auto cluster = start_socket_only();
  PqSession session(cluster->primary().endpoint().keywords());
  ASSERT_TRUE(session.connected()) << session.error();
  PqSession by_uri(cluster->primary().endpoint().uri());
  ASSERT_TRUE(by_uri.connected()) << by_uri.error();
  EXPECT_EQ(session.value("SHOW server_encoding"), "UTF8");
  EXPECT_EQ(session.value("SHOW fsync"), "off");
  EXPECT_EQ(session.value("SHOW synchronous_commit"), "on");
  if (find_postgres(test_options().binaries)->has_stat_statements) {
    EXPECT_EQ(session.value("SHOW shared_preload_libraries"), "pg_stat_statements");
  }
}

TEST(PrivateCluster, FindsAShortFolderForItsSockets) {
  KeptFolder parent;
  const std::string deep = fs::path(parent.options().folder).parent_path() / std::string(90, 'd');
  fs::create_directory(deep);
  const char* present = std::getenv("TMPDIR");
  const std::string before = present == nullptr ? "" : present;
  setenv("TMPDIR", deep.c_str(), 1);
  ClusterOptions options = test_options();
  options.storage = Storage::disk;
  auto cluster = PrivateCluster::start(options);
  if (present == nullptr)
    unsetenv("TMPDIR");
  else
    setenv("TMPDIR", before.c_str(), 1);
  ASSERT_TRUE(cluster.ok()) << cluster.error().what();
  EXPECT_TRUE((*cluster)->folder().starts_with("/tmp/sy-")) << (*cluster)->folder();
}

TEST(PrivateCluster, SpeaksTlsWithGivenCertificates) {
  TlsFiles files;
  ClusterOptions options = test_options();
  options.tls =
      ServerTls{.certificate_file = files.server.certificate, .key_file = files.server.key, .ca_file = files.ca};
  auto started = PrivateCluster::start(options);
  if (!find_postgres(options.binaries)->has_tls) {
    ASSERT_FALSE(started.ok());
    EXPECT_THAT(started.error().what(), HasSubstr("built without TLS"));
    return;
  }
  ASSERT_TRUE(started.ok()) << started.error().what();
  const auto endpoint = (*started)->primary().tcp_endpoint().value_or_throw();
  PqSession good(endpoint.keywords() + " sslmode=verify-full sslrootcert=" + files.ca +
                 " sslcert=" + files.client.certificate + " sslkey=" + files.client.key);
  ASSERT_TRUE(good.connected()) << good.error();
  EXPECT_EQ(good.value("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"), "t");
  PqSession distrusting(endpoint.keywords() + " sslmode=verify-ca sslrootcert=" + files.other_ca);
  EXPECT_FALSE(distrusting.connected());
}

TEST(PrivateCluster, HasSeveralAtOnce) {
  std::array<std::unique_ptr<PrivateCluster>, 3> clusters;
  {
    std::array<std::thread, 3> starters;
    for (std::size_t i = 0; i < clusters.size(); ++i) {
      starters[i] = std::thread([&slot = clusters[i]] { slot = start_socket_only(); });
    }
    for (std::thread& starter : starters) starter.join();
  }
  // The threads that started them have ended; the servers must not have.
  for (auto& cluster : clusters) {
    ASSERT_NE(cluster, nullptr);
    expect_value(cluster->primary(), "SELECT 1", "1");
  }
  EXPECT_NE(clusters[0]->folder(), clusters[1]->folder());
}

TEST(PrivateCluster, IsOutOfReachOfTheTerminalsCtrlC) {
  auto cluster = start_socket_only();
  EXPECT_EQ(getsid(cluster->primary().pid()), cluster->primary().pid());
}

TEST(PrivateCluster, KeepsTheCallersEnvironmentFromTheServers) {
  setenv("PGUSER", "nobody_in_particular", 1);
  setenv("PGSSLMODE", "verify-full", 1);
  auto cluster = start_socket_only();
  auto replica = cluster->add_replica("replica");
  unsetenv("PGUSER");
  unsetenv("PGSSLMODE");
  ASSERT_TRUE(replica.ok()) << replica.error().what();
  EXPECT_THAT(read_file("/proc/" + std::to_string(cluster->primary().pid()) + "/environ"),
              Not(HasSubstr("PGUSER")));
  EXPECT_THAT(read_file(fs::path((*replica)->data_folder()) / "postgresql.conf"), Not(HasSubstr("verify-full")));
}

TEST(PrivateServer, StopsRestartsAndChangesSettings) {
  auto cluster = start_socket_only();
  PrivateServer& server = cluster->primary();
  ASSERT_TRUE(server.stop().ok());
  EXPECT_FALSE(server.running());
  EXPECT_FALSE(server.query_value("SELECT 1").ok());
  ASSERT_TRUE(server.start().ok());
  const pid_t before = server.pid();
  ASSERT_TRUE(server.set("max_connections", "33").ok());
  ASSERT_TRUE(server.restart(StopMode::immediate).ok());
  EXPECT_NE(server.pid(), before);
  expect_value(server, "SHOW max_connections", "33");
  ASSERT_TRUE(server.set("log_statement", "all").ok());
  EXPECT_TRUE(wait_until([&] { return server.query_value("SHOW log_statement").value() == "all"; }));
}

TEST(PrivateServer, RecoversFromSigkill) {
  auto cluster = start_socket_only();
  PrivateServer& server = cluster->primary();
  ASSERT_TRUE(server.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").ok());
  PqSession bystander(server.endpoint().keywords());
  ASSERT_TRUE(bystander.connected());
  server.kill9();
  EXPECT_FALSE(server.running());
  EXPECT_TRUE(processes_in(server.data_folder()).empty()) << "backends die with their postmaster";
  EXPECT_FALSE(bystander.execute("SELECT 1").ok());
  auto restarted = server.start();
  ASSERT_TRUE(restarted.ok()) << restarted.error().what();
  expect_value(server, "SELECT a FROM t", "1");
}

TEST(PrivateServer, FreezesAndThaws) {
  auto cluster = start_socket_only();
  PrivateServer& server = cluster->primary();
  server.freeze();
  auto silent = server.query_value("SELECT 1", "postgres", 50ms);
  ASSERT_FALSE(silent.ok());
  EXPECT_EQ(silent.error().kind(), ErrorKind::Deadline);
  server.thaw();
  expect_value(server, "SELECT 1", "1");
  server.freeze();
  EXPECT_TRUE(server.stop().ok()) << "a frozen server can be stopped";
}

TEST(PrivateServer, MakesRolesAndDatabasesOfAnyName) {
  auto cluster = start_socket_only();
  PrivateServer& server = cluster->primary();
  ASSERT_TRUE(
      server.create_role("O'Neil \"x\"", {.password = Secret("p'\\w"), .attributes = "LOGIN CREATEDB"}).ok());
  ASSERT_TRUE(server.create_database("my \"db\"", {.owner = "O'Neil \"x\"", .template_database = {}}).ok());
  expect_value(server, "SELECT current_database()", "my \"db\"", "my \"db\"");
  auto again = server.create_database("my \"db\"");
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().sqlstate(), "42P04");
  ServerEndpoint endpoint = server.endpoint("my \"db\"");
  endpoint.user = "O'Neil \"x\"";
  PqSession session(endpoint.keywords());
  ASSERT_TRUE(session.connected()) << session.error();
  EXPECT_TRUE(PqSession(endpoint.uri()).connected());
  EXPECT_TRUE(server.drop_database("my \"db\"").ok()) << "although a session is on it";
  EXPECT_TRUE(server.drop_database("my \"db\"").ok()) << "although there is none";
}

TEST(PrivateServer, TellsServerErrorsApart) {
  PrivateServer& server = TestCluster::shared().primary();
  auto failed = server.execute("SELECT 1/0");
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().kind(), ErrorKind::Server);
  EXPECT_EQ(failed.error().sqlstate(), "22012");
  auto several = server.query_value("SELECT generate_series(1, 3)");
  ASSERT_FALSE(several.ok());
  EXPECT_EQ(several.error().kind(), ErrorKind::Mapping);
  auto elsewhere = server.query_value("SELECT 1", "no_such_database");
  ASSERT_FALSE(elsewhere.ok());
  EXPECT_EQ(elsewhere.error().sqlstate(), "3D000");
  auto rows = server.execute("SELECT 1 AS a, NULL AS b; SELECT 'x' AS c");
  ASSERT_TRUE(rows.ok());
  EXPECT_THAT(rows->columns, ::testing::ElementsAre("c"));
  EXPECT_EQ(rows->rows.at(0).at(0), "x");
}

// --- replicas
// ------------------------------------------------------------------------------------------------------

TEST(Replica, StreamsLagsAndCatchesUp) {
  auto cluster = start_socket_only();
  PrivateServer& primary = cluster->primary();
  PrivateServer& replica = *cluster->add_replica("reports").value_or_throw();
  EXPECT_EQ(cluster->replica("reports"), &replica);
  EXPECT_EQ(cluster->add_replica("reports").value_or_throw(), &replica) << "adding it again is the same replica";
  ASSERT_TRUE(primary.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").ok());
  ASSERT_TRUE(replica.catch_up(primary).ok());
  expect_value(replica, "SELECT count(*) FROM t", "1");
  expect_value(primary, "SELECT state FROM pg_stat_replication WHERE application_name = 'reports'", "streaming");
  expect_value(primary, "SELECT active FROM pg_replication_slots WHERE slot_name = 'reports'", "t");

  ASSERT_TRUE(replica.pause_replay().ok());
  ASSERT_TRUE(primary.execute("INSERT INTO t VALUES (2)").ok());
  auto behind = replica.catch_up(primary, 20ms);
  ASSERT_FALSE(behind.ok());
  EXPECT_EQ(behind.error().kind(), ErrorKind::Deadline);
  expect_value(replica, "SELECT count(*) FROM t", "1");
  ASSERT_TRUE(replica.resume_replay().ok());
  ASSERT_TRUE(replica.catch_up(primary).ok());
  expect_value(replica, "SELECT count(*) FROM t", "2");

  auto written = replica.execute("INSERT INTO t VALUES (3)");
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().sqlstate(), "25006");
}

TEST(Replica, ComesBackAfterEitherSideRestarts) {
  auto cluster = start_socket_only();
  PrivateServer& replica = *cluster->add_replica("r").value_or_throw();
  ASSERT_TRUE(replica.restart().ok());
  cluster->primary().kill9();
  ASSERT_TRUE(cluster->primary().start().ok());
  ASSERT_TRUE(cluster->primary().execute("CREATE TABLE t (a int)").ok());
  auto caught_up = replica.catch_up(cluster->primary());
  EXPECT_TRUE(caught_up.ok()) << caught_up.error().what() << replica.log_tail();
}

TEST(Replica, IsPromotedAndOthersFollowIt) {
  auto cluster = start_socket_only();
  PrivateServer& first = *cluster->add_replica("first").value_or_throw();
  PrivateServer& second = *cluster->add_replica("second").value_or_throw();
  ASSERT_TRUE(cluster->primary().execute("CREATE TABLE t (a int)").ok());
  ASSERT_TRUE(first.catch_up(cluster->primary()).ok());
  cluster->primary().kill9();
  auto promoted = first.promote();
  ASSERT_TRUE(promoted.ok()) << promoted.error().what();
  EXPECT_FALSE(first.in_recovery().value());
  ASSERT_TRUE(first.execute("INSERT INTO t VALUES (1)").ok());
  ASSERT_TRUE(second.follow(first).ok());
  auto caught_up = second.catch_up(first);
  ASSERT_TRUE(caught_up.ok()) << caught_up.error().what() << second.log_tail();
  expect_value(second, "SELECT a FROM t", "1");
  expect_value(second, "SELECT received_tli FROM pg_stat_wal_receiver", "2");
}

TEST(Replica, IsDroppedWithItsSlot) {
  auto cluster = start_socket_only();
  const std::string data = cluster->add_replica("r").value_or_throw()->data_folder();
  ASSERT_TRUE(cluster->drop_replica("r").ok());
  EXPECT_FALSE(fs::exists(data));
  EXPECT_EQ(cluster->replica("r"), nullptr);
  expect_value(cluster->primary(), "SELECT count(*) FROM pg_replication_slots", "0");
  EXPECT_FALSE(cluster->drop_replica("r").ok());
  EXPECT_TRUE(cluster->add_replica("r").ok()) << "and can be made again";
}

TEST(Replica, LeavesNothingBehindWhenItCannotBeMade) {
  auto cluster = start_socket_only();
  ASSERT_TRUE(cluster->primary().set("max_wal_senders", "0").ok());
  ASSERT_TRUE(cluster->primary().restart().ok());
  auto failed = cluster->add_replica("r");
  ASSERT_FALSE(failed.ok());
  EXPECT_THAT(failed.error().what(), HasSubstr("max_wal_senders"));
  expect_value(cluster->primary(), "SELECT count(*) FROM pg_replication_slots", "0");
  EXPECT_TRUE(fs::is_empty(fs::path(cluster->folder()) / "replicas"));
}

TEST(Replica, HasAPlainName) {
  auto cluster = start_socket_only();
  for (const char* name : {"", "../up", "With Capitals", "1st", "primary", "a-b"}) {
    EXPECT_FALSE(cluster->add_replica(name).ok()) << name;
  }
}

// --- a folder that stays
// ---------------------------------------------------------------------------------------------

TEST(PersistentCluster, SurvivesARestartWithItsReplicas) {
  KeptFolder folder;
  ClusterOptions options = folder.options();
  options.durable = true;
  std::string identifier;
  ServerEndpoint before;
  {
    auto cluster = start(options);
    expect_value(cluster->primary(), "SHOW fsync", "on");
    ASSERT_TRUE(cluster->primary().execute("CREATE TABLE t (a int); INSERT INTO t VALUES (7)").ok());
    before = cluster->add_replica("reports").value_or_throw()->endpoint();
    identifier =
        cluster->primary().query_value("SELECT system_identifier FROM pg_control_system()").value_or_throw();
  }
  ASSERT_TRUE(fs::exists(fs::path(options.folder) / "primary"));
  EXPECT_FALSE(fs::exists(fs::path(options.folder) / "run")) << "sockets go when the servers go";

  auto cluster = start(options);
  expect_value(cluster->primary(), "SELECT a FROM t", "7");
  expect_value(cluster->primary(), "SELECT system_identifier FROM pg_control_system()", identifier);
  PrivateServer* replica = cluster->replica("reports");
  ASSERT_NE(replica, nullptr);
  EXPECT_EQ(replica->endpoint().port, before.port);
  ASSERT_TRUE(cluster->primary().execute("INSERT INTO t VALUES (8)").ok());
  ASSERT_TRUE(replica->catch_up(cluster->primary()).ok());
  expect_value(*replica, "SELECT count(*) FROM t", "2");
}

TEST(PersistentCluster, HasAnIdentifierOfItsOwnWhenDurable) {
  KeptFolder folder;
  ClusterOptions options = folder.options();
  options.durable = true;
  const std::string sql = "SELECT system_identifier FROM pg_control_system()";
  auto one = start(options);
  options.folder += "2";
  auto two = start(options);
  EXPECT_NE(one->primary().query_value(sql).value(), two->primary().query_value(sql).value());
}

TEST(PersistentCluster, IsUsedByOneProcessAtATime) {
  KeptFolder folder;
  const ClusterOptions options = folder.options();
  auto cluster = start(options);
  auto second = PrivateCluster::start(options);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.error().what(), HasSubstr("in use by another process (pid " + std::to_string(getpid()) + ")"));
  expect_value(cluster->primary(), "SELECT 1", "1");
}

TEST(PersistentCluster, TakesNoFolderWithSomethingElseInIt) {
  KeptFolder folder;
  const ClusterOptions options = folder.options();
  fs::create_directory(options.folder);
  std::ofstream(options.folder + "/precious.txt") << "keep me";
  auto refused = PrivateCluster::start(options);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().what(), HasSubstr("is not empty and holds no private cluster"));
  EXPECT_EQ(read_file(options.folder + "/precious.txt"), "keep me");
}

TEST(PersistentCluster, KeepsItsVersion) {
  KeptFolder folder;
  ClusterOptions options = folder.options();
  const int major = start(options)->primary().major_version();
  options.binaries = {.folder = {}, .major = major + 1};
  auto other = PrivateCluster::start(options);
  ASSERT_FALSE(other.ok());
  EXPECT_THAT(other.error().what(), HasSubstr("is of PostgreSQL " + std::to_string(major)));
}

TEST(PersistentCluster, PutsSocketsElsewhereWhenThePathIsLong) {
  KeptFolder folder;
  ClusterOptions options = folder.options();
  options.folder += "/" + std::string(90, 'd');
  std::string sockets;
  {
    auto cluster = start(options);
    sockets = cluster->socket_folder();
    EXPECT_FALSE(sockets.starts_with(options.folder)) << sockets;
    EXPECT_LT(sockets.size() + std::string_view("/.s.PGSQL.65535").size(), 107U) << sockets;
    expect_value(cluster->primary(), "SELECT 1", "1");
    EXPECT_TRUE(cluster->add_replica("r").ok());
  }
  EXPECT_FALSE(fs::exists(fs::path(sockets).parent_path()));
  EXPECT_TRUE(fs::exists(options.folder));
}

TEST(PersistentCluster, StartsOverAStalePidFile) {
  KeptFolder folder;
  const ClusterOptions options = folder.options();
  const fs::path data = fs::path(options.folder) / "primary";
  std::string pid_file;
  {
    auto cluster = start(options);
    pid_file = read_file(data / "postmaster.pid");
  }
  // A process that has ended and that nobody has waited for: kill(pid, 0) says it lives.
  const pid_t zombie = fork();
  if (zombie == 0) _exit(0);
  ASSERT_TRUE(wait_until([&] { return !alive(zombie); }));
  std::ofstream(data / "postmaster.pid") << zombie << pid_file.substr(pid_file.find('\n'));
  auto cluster = PrivateCluster::start(options);
  waitpid(zombie, nullptr, 0);
  ASSERT_TRUE(cluster.ok()) << cluster.error().what();
}

// --- processes that die
// ------------------------------------------------------------------------------------------------

/// What a child process that holds a cluster says about it.
struct Child {
  pid_t pid = -1;
  std::string folder;
  std::vector<pid_t> servers;
};

/// Runs DISABLED_Child.HoldsAClusterUntilKilled in a process of its own.
Child start_child(const std::string& persistent_folder) {
  std::array<int, 2> ends{};
  EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 7);
  std::string self = "/proc/self/exe";
  std::string filter = "--gtest_filter=DISABLED_Child.HoldsAClusterUntilKilled";
  std::string disabled = "--gtest_also_run_disabled_tests";
  std::string quiet = "--gtest_brief=1";
  std::array<char*, 5> arguments{self.data(), filter.data(), disabled.data(), quiet.data(), nullptr};
  setenv("SY_CHILD_FOLDER", persistent_folder.c_str(), 1);
  Child child;
  EXPECT_EQ(posix_spawn(&child.pid, "/proc/self/exe", &actions, nullptr, arguments.data(), environ), 0);
  unsetenv("SY_CHILD_FOLDER");
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string said;
  char chunk[512];
  while (said.find('\n') == std::string::npos) {
    const ssize_t got = read(ends[0], chunk, sizeof chunk);
    if (got <= 0) break;
    said.append(chunk, static_cast<std::size_t>(got));
  }
  close(ends[0]);
  std::istringstream words(said);
  words >> child.folder;
  for (pid_t server = 0; words >> server;) child.servers.push_back(server);
  EXPECT_EQ(child.servers.size(), 2U) << said;
  return child;
}

TEST(DISABLED_Child, HoldsAClusterUntilKilled) {
  const char* folder = std::getenv("SY_CHILD_FOLDER");
  if (folder == nullptr) GTEST_SKIP() << "started by other tests only";
  ClusterOptions options = test_options();
  options.folder = folder;
  auto cluster = start(std::move(options));
  PrivateServer& replica = *cluster->add_replica("replica").value_or_throw();
  ASSERT_TRUE(cluster->primary().execute("CREATE TABLE IF NOT EXISTS t (a int); INSERT INTO t VALUES (1)").ok());
  const std::string said = cluster->folder() + " " + std::to_string(cluster->primary().pid()) + " " +
                           std::to_string(replica.pid()) + "\n";
  ASSERT_EQ(write(7, said.data(), said.size()), static_cast<ssize_t>(said.size()));
  close(7);
  for (;;) pause();
}

void kill_and_collect(pid_t pid) {
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
}

TEST(Death, OfAProcessEndsItsServersAndTheNextStartRemovesItsFolder) {
  const Child child = start_child("");
  ASSERT_TRUE(fs::exists(child.folder));
  for (pid_t server : child.servers) EXPECT_TRUE(alive(server));
  // A living process's folder is left alone.
  (void)start_socket_only();
  EXPECT_TRUE(fs::exists(child.folder));
  for (pid_t server : child.servers) EXPECT_TRUE(alive(server));

  kill_and_collect(child.pid);
  for (pid_t server : child.servers) EXPECT_TRUE(wait_until([&] { return !alive(server); })) << "server " << server;
  EXPECT_TRUE(fs::exists(child.folder)) << "nobody was there to remove it";
  (void)start_socket_only();
  EXPECT_FALSE(fs::exists(child.folder));
}

TEST(Death, IsSurvivedByAPersistentCluster) {
  KeptFolder folder;
  const ClusterOptions options = folder.options();
  const Child child = start_child(options.folder);
  kill_and_collect(child.pid);
  // At once: the servers may still be shutting down.
  auto cluster = PrivateCluster::start(options);
  ASSERT_TRUE(cluster.ok()) << cluster.error().what();
  for (pid_t server : child.servers) EXPECT_FALSE(alive(server));
  expect_value((*cluster)->primary(), "SELECT count(*) FROM t", "1");
  EXPECT_NE((*cluster)->replica("replica"), nullptr);
}

TEST(Death, OfServersAndProcessTogetherIsCleanedUp) {
  const Child child = start_child("");
  const std::string pid_file = read_file(fs::path(child.folder) / "primary/postmaster.pid");
  // The postmasters first, so that nothing tidies up: shared memory stays behind, as do the pid files.
  for (pid_t server : child.servers) kill(server, SIGKILL);
  kill_and_collect(child.pid);
  (void)start_socket_only();
  EXPECT_FALSE(fs::exists(child.folder));
  // Line 7: "key id" of the System V segment.
  std::istringstream lines(pid_file);
  std::string line;
  for (int i = 0; i < 7; ++i) std::getline(lines, line);
  std::istringstream numbers(line);
  std::string key;
  std::string segment;
  numbers >> key >> segment;
  ASSERT_FALSE(segment.empty());
  EXPECT_THAT(read_file("/proc/sysvipc/shm"), Not(HasSubstr(" " + segment + " ")));
}

TEST(Death, ReaperHarmsNoProcessThatAPidFileNamesFalsely) {
  std::string name = (fs::temp_directory_path() / "sy-XXXXXX").string();
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  std::ofstream(name + "/switchyard.lock") << "switchyard private cluster\npid 1\n";
  fs::create_directory(name + "/primary");
  const pid_t innocent = fork();
  if (innocent == 0) {
    for (;;) pause();
  }
  std::ofstream(name + "/primary/postmaster.pid") << innocent << "\n" << name << "/primary\n";
  EXPECT_GE(reap_abandoned_folders(), 1U);
  EXPECT_FALSE(fs::exists(name));
  EXPECT_TRUE(alive(innocent));
  kill_and_collect(innocent);
}

TEST(Death, ReaperLeavesFoldersWithoutOurMark) {
  std::string name = "/tmp/sy-XXXXXX";
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  std::ofstream(name + "/notes.txt") << "not a cluster";
  std::ofstream(name + "/switchyard.lock") << "something else";
  reap_abandoned_folders();
  EXPECT_TRUE(fs::exists(name + "/notes.txt"));
  fs::remove_all(name);
}

// --- errors
// ----------------------------------------------------------------------------------------------------------

TEST(PrivateClusterError, NamesTheSettingThatTheServerRefused) {
  ClusterOptions options = test_options();
  options.settings["no_such_setting"] = "1";
  auto failed = PrivateCluster::start(options);
  ASSERT_FALSE(failed.ok());
  EXPECT_THAT(failed.error().what(), HasSubstr("unrecognized configuration parameter \"no_such_setting\""));
  EXPECT_THAT(failed.error().what(), HasSubstr("its log "));
}

TEST(PrivateClusterError, SaysHowToInstallPostgres) {
  ClusterOptions options = test_options();
  options.binaries = {.folder = "/nonexistent/bin", .major = 0};
  auto failed = PrivateCluster::start(options);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().kind(), ErrorKind::Config);
  EXPECT_THAT(failed.error().what(), HasSubstr("were not found in /nonexistent/bin"));
  EXPECT_THAT(failed.error().what(), HasSubstr("apt-get install postgresql"));
}

TEST(PrivateClusterError, NamesAnAccountThatCannotEnterTheFolder) {
  if (geteuid() != 0) GTEST_SKIP() << "only root runs servers under another account";
  TempFolder folder;  // mode 0700, root's
  ClusterOptions options = test_options();
  options.folder = folder.file("data");
  auto failed = PrivateCluster::start(options);
  ASSERT_FALSE(failed.ok());
  EXPECT_THAT(failed.error().what(), HasSubstr("run under account 'postgres', which cannot enter folder"));
}

TEST(PrivateClusterError, NamesAFolderThatCannotBeMade) {
  TempFolder folder;
  ClusterOptions options = test_options();
  options.folder = folder.write("file", "") + "/data";
  auto failed = PrivateCluster::start(options);
  ASSERT_FALSE(failed.ok());
  EXPECT_THAT(failed.error().what(), HasSubstr("cannot make folder " + options.folder));
}

TEST(PrivateClusterError, RefusesAnUnknownAccountAndRoot) {
  if (geteuid() != 0) GTEST_SKIP() << "only root chooses an account";
  ClusterOptions options = test_options();
  options.run_as = "no_such_account";
  EXPECT_THAT(PrivateCluster::start(options).error().what(), HasSubstr("there is no account 'no_such_account'"));
  options.run_as = "root";
  EXPECT_THAT(PrivateCluster::start(options).error().what(), HasSubstr("refuses to run as 'root'"));
  options.run_as = "nobody";
  auto cluster = start(options);
  EXPECT_EQ(owner_of(cluster->primary().data_folder()), 65534U);
}

TEST(PrivateClusterError, NamesATakenTcpPort) {
  auto first = start(test_options());
  ClusterOptions options = test_options();
  options.tcp_port = first->primary().tcp_endpoint()->port;
  auto failed = PrivateCluster::start(options);
  ASSERT_FALSE(failed.ok());
  EXPECT_THAT(failed.error().what(), HasSubstr("Address already in use"));
}

// --- the shared cluster of tests
// -----------------------------------------------------------------------------------------

TEST(TestDatabase, IsClonedFromItsSetup) {
  constexpr std::string_view kSetup = "CREATE TABLE t (a int); INSERT INTO t VALUES (7)";
  TestDatabase one = TestDatabase::with(kSetup);
  TestDatabase two = TestDatabase::with(kSetup);
  one.execute("DELETE FROM t");
  EXPECT_EQ(one.query_value("SELECT count(*) FROM t"), "0");
  EXPECT_EQ(two.query_value("SELECT a FROM t"), "7");
}

TEST(TestDatabase, IsDroppedAlthoughASessionIsOnIt) {
  std::string name;
  std::unique_ptr<PqSession> session;
  {
    TestDatabase database;
    name = database.name();
    session = std::make_unique<PqSession>(database.endpoint().keywords());
    EXPECT_TRUE(session->connected());
    EXPECT_TRUE(PqSession(database.tcp_endpoint().keywords()).connected());
  }
  expect_value(TestCluster::shared().primary(),
               "SELECT count(*) FROM pg_database WHERE datname = " + quote_literal(name), "0");
}

TEST(TestCluster, HasAReplica) {
  PrivateServer& replica = TestCluster::replica();
  TestDatabase database = TestDatabase::with("CREATE TABLE t (a int)");
  database.execute("INSERT INTO t VALUES (1)");
  ASSERT_TRUE(replica.catch_up(database.server()).ok());
  expect_value(replica, "SELECT count(*) FROM t", "1", database.name());
}

}  // namespace
