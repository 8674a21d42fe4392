// What the installed headers and library must give a program: it compiles, links and runs. Every verb is
// instantiated here, so that a symbol the library does not export is found.
#include <switchyard/switchyard.hpp>

#include <cstdio>
#include <string>
#include <tuple>
#include <vector>

namespace sy = switchyard;

inline constexpr sy::Database<"main"> main_db;

struct User {
  std::int32_t id = 0;
  std::optional<std::string> name;
  std::vector<std::int32_t> scores;
  sy::TimestampTz since;
};

sy::Task<std::size_t> everything(sy::Querier& db) {
  auto users = co_await db.query<User>("SELECT * FROM users WHERE id > $1", 0);
  auto rows = co_await db.query("SELECT 1");
  auto one = co_await db.query_one<std::tuple<int, std::string>>("SELECT 1, 'x'");
  auto maybe = co_await db.query_optional<User>({.sql = "SELECT * FROM users", .timeout = std::chrono::seconds(1)});
  auto value = co_await db.query_value<std::int64_t>("SELECT count(*) FROM users");
  co_await db.execute("UPDATE users SET name = $1", "x");
  co_await db.execute_many("INSERT INTO users (id) VALUES ($1)", std::vector<int>{1, 2, 3});
  co_await db.run(sy::Batch().add("SELECT 1").add("SELECT $1::int", 2));
  co_await db.script("SELECT 1; SELECT 2");
  auto stream = db.stream<User>("SELECT * FROM users");
  while (co_await stream.next() != nullptr) {
  }
  auto in = db.copy_in("COPY users (id) FROM STDIN (FORMAT binary)");
  co_await in.row(4);
  co_await in.finish();
  auto out = db.copy_out("COPY users TO STDOUT");
  while (co_await out.next()) {
  }
  co_return users.size() + rows.size() + static_cast<std::size_t>(std::get<0>(one) + value) + (maybe ? 1 : 0);
}

sy::Task<void> app(sy::Fleet& fleet) {
  sy::Request request = fleet.request({.timeout = std::chrono::seconds(5), .label = "consumer"});
  auto read = request[main_db].read();
  co_await everything(read);
  co_await request[main_db].transaction([](sy::Transaction& tx) -> sy::Task<void> {
    co_await everything(tx);
    co_await tx.transaction([](sy::Transaction& inner) -> sy::Task<void> { co_await everything(inner); });
  });
  sy::Lease lease = co_await fleet[main_db].lease();
  co_await everything(lease);
  sy::Notifications news = fleet[main_db].listen("news");
  (void)co_await news.next();
  (void)co_await fleet.health_all();
  (void)fleet.status();
}

int main(int argc, char** argv) {
  const sy::Error error = sy::Error(sy::ErrorKind::Usage, "an error").with_database(std::string(main_db.name()));
  std::printf("%s\n", error.what());
  if (argc > 1) return sy::run(argc, argv, app);

  // Without a server: the blocking facade answers that nothing is configured.
  sy::Sources sources;
  sources.names_in_code = {"main"};
  auto config = sy::load_config(sources);
  if (!config.ok()) return 1;
  auto fleet = sy::BlockingFleet::open(*std::move(config)).value_or_throw();
  try {
    (*fleet)[main_db].execute("SELECT 1");
  } catch (const sy::Error& refused) {
    std::printf("%s\n", refused.what());
    return refused.kind() == sy::ErrorKind::Config ? 0 : 1;
  }
  return 1;
}
