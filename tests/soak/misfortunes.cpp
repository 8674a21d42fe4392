#include "misfortunes.hpp"

#include <chrono>
#include <thread>

namespace soak {
namespace {

using namespace std::chrono_literals;

/// DDL that can't have its lock gives up, so that nobody queues behind it for long.
constexpr const char* kPatience = "SET lock_timeout = '2s'; ";

/// While the catalogue changes, lanes stand aside until they have seen it: so it rests for most of the time.
constexpr auto kPhase = 1500ms;
constexpr auto kCalm = 1000ms;

}  // namespace

void Misfortunes::execute(const std::string& what, const std::string& sql) {
  // What fails here (a lock not to be had, a server that is away) is no matter: the next one comes soon.
  ++counts_[site_.primary().execute(sql).ok() ? what : what + ", in vain"];
}

void Misfortunes::strike() {
  const std::string patience = kPatience;
  const int which = below(11);
  const bool changes_catalogue = which >= 2 && which <= 7;
  if (changes_catalogue && (std::chrono::steady_clock::now() - begun_) % kPhase < kCalm) return;
  switch (which) {
    case 0:
    case 1: {
      const int most = below(10) == 0 ? 100 : 1 + below(3);
      const auto servers = site_.servers();
      auto& server = *servers[static_cast<std::size_t>(below(static_cast<int>(servers.size())))];
      const bool done = server
                            .execute(
                                "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity "
                                "WHERE usename = '" +
                                std::string(kRole) + "' ORDER BY random() LIMIT " + std::to_string(most) + ") s")
                            .ok();
      ++counts_[done ? "sessions ended" : "sessions ended, in vain"];
      break;
    }
    case 2:
      extra_ = !extra_;
      execute("column added or dropped",
              patience + (extra_ ? "ALTER TABLE altered ADD COLUMN IF NOT EXISTS extra int DEFAULT 7"
                                 : "ALTER TABLE altered DROP COLUMN IF EXISTS extra"));
      break;
    case 3:
      wide_ = !wide_;
      execute("column's type changed",
              patience + "ALTER TABLE altered ALTER COLUMN amount TYPE " + (wide_ ? "bigint" : "int"));
      break;
    case 4:
      indexed_ = !indexed_;
      execute("index created or dropped",
              patience + (indexed_ ? "CREATE INDEX IF NOT EXISTS items_body ON items (body)"
                                   : "DROP INDEX IF EXISTS items_body"));
      break;
    case 5:
    case 6:
      execute("view replaced", patience + "CREATE OR REPLACE VIEW seen AS SELECT id, body, " +
                                   std::to_string(++version_) + " AS version FROM items");
      break;
    case 7:
      shadow_ = !shadow_;
      execute("table earlier in search_path",
              patience + (shadow_ ? "CREATE TABLE IF NOT EXISTS shadow.places AS SELECT * FROM public.places"
                                  : "DROP TABLE IF EXISTS shadow.places"));
      break;
    case 8:
    case 9:
      execute("table locked", patience + "BEGIN; LOCK TABLE lockable IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(0." +
                                  std::to_string(1 + below(3)) + "); COMMIT");
      break;
    default:
      if (below(4) != 0) break;
      site_.primary().freeze();
      std::this_thread::sleep_for(std::chrono::milliseconds(20 + below(250)));
      site_.primary().thaw();
      ++counts_["server frozen"];
  }
}

void Misfortunes::fail_over() {
  common_.failed_over = true;
  site_.fail_over();
  ++counts_["primary killed, replica promoted"];
}

void Misfortunes::make_whole() { execute("made whole", "DROP TABLE IF EXISTS shadow.places"); }

}  // namespace soak
