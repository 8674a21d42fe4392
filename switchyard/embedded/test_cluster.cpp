#include <switchyard/embedded/test_cluster.hpp>

#include <unistd.h>

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <map>
#include <mutex>
#include <utility>

namespace switchyard::inline v0::embedded {

namespace {

int wanted_version() {
  const char* text = std::getenv("SWITCHYARD_TEST_PG");  // NOLINT(concurrency-mt-unsafe)
  if (text == nullptr || *text == '\0') return 0;
  int major = 0;
  const std::string_view view(text);
  if (std::from_chars(view.data(), view.data() + view.size(), major).ec != std::errc() || major <= 0) {
    throw Error(ErrorKind::Config,
                "SWITCHYARD_TEST_PG=" + std::string(view) + " is not a major version of PostgreSQL");
  }
  return major;
}

/// Destroyed at exit; a forked child (a death test) must not touch its parent's servers.
struct Shared {
  std::unique_ptr<PrivateCluster> cluster;
  pid_t owner = getpid();

  Shared() : cluster(PrivateCluster::start(test_options()).value_or_throw()) {}
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() {
    if (getpid() != owner) [[maybe_unused]]
      PrivateCluster* const of_the_parent = cluster.release();
  }
};

std::string fresh_name(std::string_view prefix) {
  static std::atomic<int> count{0};
  return std::string(prefix) + std::to_string(++count);
}

/// The template in which `setup` has run.
std::string template_for(std::string_view setup) {
  static std::mutex guard;
  static std::map<std::string, std::string, std::less<>> made;
  std::lock_guard lock(guard);
  if (auto at = made.find(setup); at != made.end()) return at->second;
  PrivateServer& server = TestCluster::shared().primary();
  std::string name = fresh_name("template_");
  server.create_database(name).value_or_throw();
  (void)server.execute(setup, name).value_or_throw();
  // Its session ends a moment after the answer, and a template must have none.
  (void)server.execute("ALTER DATABASE " + quote_identifier(name) + " ALLOW_CONNECTIONS false").value_or_throw();
  made.emplace(setup, name);
  return name;
}

}  // namespace

ClusterOptions test_options() {
  ClusterOptions options;
  options.name = "test";
  options.storage = Storage::memory;
  options.tcp_port = 0;
  options.binaries.major = wanted_version();
  return options;
}

PrivateCluster& TestCluster::shared() {
  static Shared shared;
  return *shared.cluster;
}

PrivateServer& TestCluster::replica() { return *shared().add_replica("replica").value_or_throw(); }

TestDatabase::TestDatabase() : TestDatabase(std::string_view()) {}

TestDatabase::TestDatabase(std::string_view template_database) : name_(fresh_name("test_")) {
  server()
      .create_database(name_, {.owner = {}, .template_database = std::string(template_database)})
      .value_or_throw();
}

TestDatabase TestDatabase::with(std::string_view setup) { return TestDatabase(template_for(setup)); }

TestDatabase::TestDatabase(TestDatabase&& other) noexcept : name_(std::exchange(other.name_, {})) {}

TestDatabase::~TestDatabase() {
  if (!name_.empty()) (void)server().drop_database(name_);
}

ServerEndpoint TestDatabase::endpoint() const { return server().endpoint(name_); }

ServerEndpoint TestDatabase::tcp_endpoint() const { return server().tcp_endpoint(name_).value_or_throw(); }

SqlResult TestDatabase::execute(std::string_view sql) { return server().execute(sql, name_).value_or_throw(); }

std::string TestDatabase::query_value(std::string_view sql) {
  return server().query_value(sql, name_).value_or_throw();
}

}  // namespace switchyard::inline v0::embedded
