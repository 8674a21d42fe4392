// The shared lanes of one endpoint on one shard: one whose sessions are as they log in, and a few more for callers
// whose settings are others. Settings that change what a statement means can't be mixed in one session, so a lane
// has one set of them; a set earns a lane once several callers hold it at one time.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/pool/lane.hpp>
#include <switchyard/pool/pool.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::fleet {

/// What a caller has set.
struct LaneKey {
  /// The SQL that makes a new session so; empty: nothing. Equal texts are equal settings. Without settings that do
  /// not change what a read means (application_name) or that the caller keeps to itself (statement_timeout).
  std::string_view setup;
  /// Callers that hold these settings at this moment.
  std::uint32_t callers = 0;
};

class LaneSet {
 public:
  /// Lanes with settings of their own at most; a lane that nobody used for a while makes room.
  static constexpr std::size_t kMostKeyed = 4;
  static constexpr Duration kKeyedKept = std::chrono::seconds(30);
  /// Callers from which on settings earn a lane.
  static constexpr std::uint32_t kEarnsFrom = 4;
  /// Sessions of such a lane at most.
  static constexpr std::uint32_t kKeyedSessions = 2;

  /// All outlive it; `observer` may be null.
  LaneSet(const pool::LaneSettings& settings, pool::Pool& pool, pool::LaneGuard& guard,
          pool::LaneObserver* observer);
  LaneSet(const LaneSet&) = delete;
  LaneSet& operator=(const LaneSet&) = delete;

  /// Of sessions as they log in.
  [[nodiscard]] pool::Lane& plain() noexcept { return *plain_; }
  /// Null: these settings have none. May throw bad_alloc.
  [[nodiscard]] pool::Lane* of(const LaneKey& key, TimePoint now);
  /// As of(), and none is opened.
  [[nodiscard]] pool::Lane* find(std::string_view setup) noexcept;

  /// As Lane's, of all.
  void retire() noexcept;
  [[nodiscard]] pool::Lane::Load load() const noexcept;
  [[nodiscard]] pool::LaneStats stats() const;

 private:
  struct Keyed {
    std::string setup;
    TimePoint used{};
    std::unique_ptr<pool::Lane> lane;
  };
  [[nodiscard]] Keyed* find_keyed(std::string_view setup) noexcept;

  pool::LaneSettings settings_;
  pool::Pool& pool_;
  pool::LaneGuard& guard_;
  pool::LaneObserver* observer_;
  std::unique_ptr<pool::Lane> plain_;
  std::vector<Keyed> keyed_;
  pool::LaneStats gone_;  ///< what lanes that made room had done
};

}  // namespace switchyard::inline v0::fleet
