// The shared lane of one endpoint on one shard: a few sessions of its pool on which many callers' autocommit reads
// are pipelined. A statement in a lane can be run elsewhere until its answer has been given away: whatever goes
// wrong that would not have gone wrong on a session of its own is not seen by its caller, who is told to take a
// lease (LaneRequest::on_lease). The rules are LaneMachine's and LaneShape's.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/pool/lane_guard.hpp>
#include <switchyard/pool/lane_settings.hpp>
#include <switchyard/pool/lane_stats.hpp>

#include <memory>
#include <string_view>

namespace switchyard::inline v0::session {
class OperationState;
}

namespace switchyard::inline v0::pool {

class LaneCall;
class LaneShape;
class Pool;

/// The reason while text and catalogue are looked at in the background.
inline constexpr std::string_view kBeingLookedAt = "leased: the statement is being looked at";

/// One caller's statement on its way through a lane. The caller keeps it in place until the operation has ended, or
/// it was told to take a lease, or it was withdrawn.
class LaneRequest {
 public:
  LaneRequest() = default;
  LaneRequest(const LaneRequest&) = delete;
  LaneRequest& operator=(const LaneRequest&) = delete;

  /// It is on the wire. The lane ends the operation from here (finish()), then releases one reference to it.
  virtual void on_sent(TimePoint now) noexcept = 0;
  /// Nothing of an answer counts: run it on a session of its own. The operation is as before submit().
  virtual void on_lease(LaneExit why) noexcept = 0;

  [[nodiscard]] bool in_lane() const noexcept { return call != nullptr; }

  // The lane's own.
  LaneCall* call = nullptr;
  session::OperationState* lane_operation = nullptr;
  /// The session was lost under it, and it may be the reason: it should not be run again.
  bool suspect = false;

 protected:
  ~LaneRequest() = default;
};

/// Things that somebody should know of.
class LaneObserver {
 public:
  /// A tripwire: what came was not what can have been asked for. The session is closed.
  virtual void on_lane_alarm(std::string_view what, std::int32_t server_pid) noexcept = 0;

 protected:
  ~LaneObserver() = default;
};

class SWITCHYARD_API Lane {
 public:
  /// All outlive the lane; `observer` may be null.
  Lane(LaneSettings settings, Pool& pool, LaneGuard& guard, LaneObserver* observer);
  /// Statements on the wire are lost, those that wait are told to take a lease.
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  struct Admission {
    bool taken = false;
    /// For people: why, or why not. Of one that was taken static text, else until the lane is used again.
    std::string_view reason;
    /// Of one that was not: what stands against it passes by itself in a moment.
    bool soon = false;
  };
  /// A single statement outside of any transaction, whose answer is wanted as a whole.
  [[nodiscard]] Admission submit(LaneRequest& request, session::OperationState& operation, TimePoint now) noexcept;
  /// Nobody waits for it any more. The lane has let go of the request.
  void withdraw(LaneRequest& request) noexcept;
  /// The operation, which submit() had refused, took so long on a lease.
  void learn(const session::OperationState& operation, Duration took, TimePoint now) noexcept;
  /// What submit() would say, without submitting.
  [[nodiscard]] std::string_view explain(std::string_view sql, TimePoint now);

  /// Gives the sessions back as soon as they have answered; statements that wait take leases. It opens again when
  /// it is used.
  void retire() noexcept;
  [[nodiscard]] LaneStats stats() const;
  struct Load {
    std::uint32_t sessions = 0;
    std::uint32_t statements = 0;  ///< on a wire or waiting for one
  };
  [[nodiscard]] Load load() const noexcept;

  class Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace switchyard::inline v0::pool
