// One physical place of a database, as this shard sees it: its pool (opened on first use), the breakers in front of
// it, and its numbers.
#pragma once

#include <switchyard/config/connection_options.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/fleet/endpoint_breakers.hpp>
#include <switchyard/fleet/endpoint_limiter.hpp>
#include <switchyard/fleet/lane_set.hpp>
#include <switchyard/fleet/recorder.hpp>
#include <switchyard/fleet/status.hpp>
#include <switchyard/pool/lane.hpp>
#include <switchyard/pool/pool.hpp>
#include <switchyard/session/connect_plan.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::fleet {

/// How sessions of an endpoint start.
struct EndpointSettings {
  std::string database;
  EndpointRole role = EndpointRole::primary;
  std::string name;
  bool read_only = false;   ///< sessions start with default_transaction_read_only = on
  double exhaustion = 0.9;  ///< share of the pool that is worth a warning
  /// Of the process; null: this endpoint has breakers of its own.
  resilience::SharedBreakers* breakers = nullptr;
  /// Named for an endpoint that is only another one's reads: its breakers are that one's.
  std::string breakers_of = {};
};

class Endpoint final : private pool::Observer, private pool::LaneObserver {
 public:
  /// Hears of trouble that no operation may report, for it waits for a session.
  class Listener {
   public:
    virtual void on_connect_failed(Endpoint& endpoint) noexcept = 0;

   protected:
    ~Listener() = default;
  };
  /// `listener` outlives the endpoint; null = nobody.
  void set_listener(Listener* listener) noexcept { listener_ = listener; }

  /// `permits` may be shared with another endpoint of the same database, so that both together stay below its
  /// maximum.
  Endpoint(EndpointSettings settings, ConnectionOptions connection, const DatabaseConfig& database,
           const PoolConfig& pool, std::shared_ptr<pool::PermitCounter> permits);
  ~Endpoint();

  /// Opens it on first use.
  [[nodiscard]] pool::Pool& pool();
  [[nodiscard]] pool::Pool* opened_pool() noexcept { return pool_.get(); }
  /// Reads of many callers may share sessions from now on. `guard` outlives the endpoint.
  void set_lane(pool::LaneSettings settings, pool::LaneGuard& guard);
  /// Null where nothing is shared. Opens its pool.
  [[nodiscard]] pool::Lane* lane() {
    LaneSet* const all = lanes();
    return all != nullptr ? &all->plain() : nullptr;
  }
  /// The same for callers with settings of their own.
  [[nodiscard]] LaneSet* lanes() { return lanes_ || lane_guard_ == nullptr ? lanes_.get() : open_lanes(); }
  /// The catalogue was changed through this process.
  void note_ddl() noexcept {
    if (lane_guard_ != nullptr) lane_guard_->note_ddl();
  }
  /// Its sessions go back to the pool.
  void retire_lane() noexcept {
    if (lanes_) lanes_->retire();
  }
  /// Out of service on purpose: sessions are closed as they come back, and nobody is warned of anything.
  void set_maintenance(bool on) noexcept;
  /// Sessions are closed as they come back, callers wait.
  void set_paused(bool on) noexcept;
  /// No session that is open now is used by another caller.
  void renew_sessions() noexcept;
  void add_sessions(std::vector<SessionStatus>& out) const;
  /// Operations that run or wait here.
  [[nodiscard]] std::uint32_t outstanding() const noexcept;
  /// Ends its sessions at once; whoever uses or waits for one is told.
  void close_pool() noexcept {
    lanes_.reset();
    pool_.reset();
  }

  /// Another server does this one's work now. Its sessions end with an error that says so; who still waits for one
  /// is to choose again: see superseded().
  void supersede() noexcept;
  /// It does the work again.
  void reinstate() noexcept { superseded_ = false; }
  [[nodiscard]] bool superseded() const noexcept { return superseded_; }
  [[nodiscard]] const EndpointSettings& settings() const noexcept { return settings_; }
  [[nodiscard]] const std::shared_ptr<const session::ConnectPlan>& plan() const noexcept { return plan_; }
  [[nodiscard]] const std::shared_ptr<pool::PermitCounter>& permits() const noexcept { return permits_; }
  [[nodiscard]] std::string location() const;
  [[nodiscard]] EndpointBreakers& breakers() noexcept { return breakers_; }
  [[nodiscard]] EndpointLimiter& limiter() noexcept { return *limiter_; }
  /// Would its breaker let a call through now? For choosers; takes nothing.
  [[nodiscard]] bool available(RouteAccess access, TimePoint now) noexcept {
    return breakers_.of(access).breaker().available(now);
  }
  [[nodiscard]] EndpointStatus status() const;

  /// The numbers of what ran here.
  [[nodiscard]] Recorder& recorder() noexcept { return recorder_; }
  [[nodiscard]] EndpointStatistics statistics() const;

  /// pg_control_system() of its server, once a causal token has told it; 0 = not known.
  std::uint64_t system_identifier = 0;

 private:
  [[nodiscard]] LaneSet* open_lanes();
  void hold(bool on) noexcept;
  void on_lane_alarm(std::string_view what, std::int32_t server_pid) noexcept override;
  void on_near_exhaustion(std::uint32_t in_use, std::uint32_t max) noexcept override;
  void on_leak(const char* site, Duration held) noexcept override;
  void on_connected(session::Session& session, Duration took) noexcept override;
  void on_connect_failed(const Error& error) noexcept override;

  EndpointSettings settings_;
  pool::PoolSettings pool_settings_;
  std::shared_ptr<const session::ConnectPlan> plan_;
  Recorder recorder_;
  std::shared_ptr<pool::PermitCounter> permits_;
  EndpointBreakers breakers_;
  std::shared_ptr<EndpointLimiter> limiter_;
  std::unique_ptr<pool::Pool> pool_;
  pool::LaneSettings lane_settings_;
  pool::LaneGuard* lane_guard_ = nullptr;
  std::unique_ptr<LaneSet> lanes_;  // on the pool: they go first
  Listener* listener_ = nullptr;
  bool superseded_ = false;
  bool maintenance_ = false;
  bool paused_ = false;
};

}  // namespace switchyard::inline v0::fleet
