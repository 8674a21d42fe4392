// One caller: it runs statements of every shape, one after the other, and each must answer with its own tag.
#pragma once

#include "score.hpp"

#include <switchyard/base/random.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/task.hpp>

#include <atomic>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace soak {

namespace sy = switchyard;

/// What all callers of a run share.
struct Common {
  explicit Common(std::uint64_t seed, int callers) : score(seed), began(static_cast<std::size_t>(callers)) {}
  Score score;
  std::atomic<bool> stop{false};
  /// When each caller's statement began, in nanoseconds of the steady clock; 0 between statements. Watched from
  /// another thread.
  std::vector<std::atomic<std::int64_t>> began;
  /// Callers that have ended.
  std::atomic<int> ended{0};
  /// A primary may have been replaced: servers may refuse writes.
  std::atomic<bool> failed_over{false};
  /// The only shape that is run, by name; empty = all.
  std::string only;
  /// Tags whose pieces were acknowledged.
  std::vector<std::string> kept;
};

class Caller;

/// A way to ask, and to check the answer. It throws Wrong for a wrong answer and sy::Error for none.
struct Shape {
  const char* name;
  unsigned weight;
  sy::Task<void> (*run)(Caller& me);
};
[[nodiscard]] std::span<const Shape> reading_shapes();
[[nodiscard]] std::span<const Shape> session_shapes();
[[nodiscard]] std::span<const Shape> writing_shapes();

class Caller {
 public:
  Caller(Common& common, sy::Fleet& fleet, int id, std::uint64_t seed);

  /// Until the run stops.
  sy::Task<void> run();

  // What shapes use.
  [[nodiscard]] int id() const { return id_; }
  [[nodiscard]] const std::string& tag() const { return tag_; }
  [[nodiscard]] Common& common() const { return common_; }
  [[nodiscard]] sy::Fleet& fleet() const { return fleet_; }
  [[nodiscard]] sy::DatabaseHandle db() const { return fleet_.database("main").value_or_throw(); }
  [[nodiscard]] sy::ReadView reads() const { return db().read(); }
  /// Uniform in [0, limit).
  [[nodiscard]] int below(int limit) { return static_cast<int>(random_.next() % static_cast<unsigned>(limit)); }
  [[nodiscard]] bool percent(int share) { return below(100) < share; }
  [[nodiscard]] int any_item();
  /// The statement, now and then with a short time limit.
  [[nodiscard]] sy::Statement statement(std::string_view sql);
  /// The statement under way may end at a time limit of its own.
  void limit() { limited_ = true; }
  /// DDL under the statement may fail it as it may on any session.
  void expect_ddl() { on_moving_ground_ = true; }
  /// Throws Wrong, with who asked what, unless it holds.
  void require(bool holds, std::string_view what, std::string_view got = {}) const;
  void require_tag(std::string_view got) const { require(got == tag_, "another tag than its own", got); }

  // The caller's own row in `counters`.
  /// A write of `tag` is on its way: from now on it may be seen.
  void writing(const std::string& tag) { doubtful_.insert(tag); }
  /// It was acknowledged: what was acknowledged before can't be seen any more.
  void wrote(const std::string& tag);
  void require_own(std::string_view got) const;

 private:
  const Shape& choose();
  sy::Task<void> run_once(const Shape& shape);
  void judge(const Shape& shape, const sy::Error& error);

  Common& common_;
  sy::Fleet& fleet_;
  int id_;
  sy::Random random_;
  std::uint64_t number_ = 0;
  std::string tag_;
  const char* shape_ = "";
  bool limited_ = false;
  bool on_moving_ground_ = false;
  std::string last_;
  std::set<std::string> doubtful_;
};

}  // namespace soak
