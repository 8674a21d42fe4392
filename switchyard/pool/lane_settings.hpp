// What a shared lane may do.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/pool/lane_machine.hpp>

#include <cstdint>
#include <string>

namespace switchyard::inline v0::pool {

/// A bind larger than this goes to a lease, bytes.
inline constexpr std::size_t kMaxLaneBind = 64 << 10;

struct LaneSettings {
  /// SQL that a session runs first: the settings that all callers of the lane have. Empty: none.
  std::string setup_sql = {};
  /// False: everything runs on leases.
  bool enabled = true;
  /// `sessions` is also bounded by half of the pool.
  LaneLimits limits;
  /// A lane opens once so many callers use the pool at one time.
  std::uint32_t opens_from = 4;
  /// A statement that waits longer for a lock is run on a lease, with the caller's own limit.
  Duration lock_timeout = std::chrono::milliseconds(20);
  /// Rows of one answer; a larger one is read again on a lease.
  std::int32_t row_cap = 1000;
  /// Without statements for this long a lane gives its sessions back.
  Duration idle_timeout = std::chrono::seconds(10);
  /// Each session answers a question that only it knows this often; ages and settings are looked at as well.
  Duration look_every = std::chrono::seconds(1);
  /// Where all sessions of a lane are slow at once, callers for whom the pool has no session either wait this long
  /// for the lane: on a busy machine it stands still for moments.
  Duration rest_patience = std::chrono::milliseconds(100);
  /// A session that is not set up after so long is given back.
  Duration setup_patience = std::chrono::seconds(5);
  /// An idle session is asked for its settings and its role this often.
  Duration audit_every = std::chrono::seconds(10);
  /// Age at which a session is replaced. 0: never.
  Duration max_lifetime = std::chrono::minutes(55);
  /// Identical statements that wait to be sent share one execution.
  bool single_flight = false;
};

}  // namespace switchyard::inline v0::pool
