// The places of one database and the endpoints at them: who is the primary now, who may answer reads, and what
// happens when that changes. The watch (topology_watch.hpp) begins with the first use, and only where there is a
// choice: with replicas, or several hosts for the primary.
//
// At each place that may be the primary there are up to three endpoints, made when they are first needed:
//   primary   statements that may write
//   writer    where writes log in as somebody else, or reads are read-only
//   reader    read-only sessions, for reads that no replica serves; while there are replicas it may take only a
//   share of
//             the pool (primary_read_share), so that the primary survives the loss of them all
// They share the permits of the database, whichever place is the primary.
#pragma once

#include <switchyard/config/fleet_config.hpp>
#include <switchyard/fleet/chooser.hpp>
#include <switchyard/fleet/endpoint.hpp>
#include <switchyard/fleet/lane_keeper.hpp>
#include <switchyard/fleet/patroni_source.hpp>
#include <switchyard/fleet/shared_permits.hpp>
#include <switchyard/fleet/status.hpp>
#include <switchyard/fleet/topology_watch.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::fleet {

class Places final : private TopologyWatch::Observer, private Endpoint::Listener {
 public:
  /// `config` outlives it. `region` is the application's.
  Places(const DatabaseConfig& config, std::string region, SharedPermits& permits);
  Places(const Places&) = delete;
  Places& operator=(const Places&) = delete;
  ~Places();

  [[nodiscard]] const DatabaseConfig& config() const noexcept { return config_; }
  [[nodiscard]] const std::string& region() const noexcept { return region_; }
  /// Called whenever something was seen: operations that wait for a place ask again.
  void set_on_news(std::function<void()> on_news) { on_news_ = std::move(on_news); }

  // Of the primary as it is known now. Null where no primary is configured.
  [[nodiscard]] Endpoint* primary() noexcept;
  [[nodiscard]] Endpoint* writer() noexcept;
  [[nodiscard]] Endpoint* reader() noexcept;
  /// The endpoint of a replica; null if this place is none.
  [[nodiscard]] Endpoint* replica_at(std::size_t place) noexcept;
  /// The place that an endpoint is at; nothing for one that is not of this database.
  [[nodiscard]] std::optional<std::size_t> place_of(const Endpoint& endpoint) const noexcept;
  /// All that have been made: of the primary first, then the replicas as configured.
  [[nodiscard]] std::vector<Endpoint*> endpoints() const;
  /// Null for one that is not configured.
  [[nodiscard]] const Endpoint* replica(const ReplicaConfig& config) const noexcept;
  [[nodiscard]] bool has_replicas() const noexcept { return !replicas_.empty(); }
  /// The statement is known to be a read that leaves nothing behind, and of tables that a replica has. False as
  /// well while it is being looked at.
  [[nodiscard]] bool replica_may_answer(std::string_view sql, std::span<const std::uint32_t> types);

  /// There is a choice to be made.
  [[nodiscard]] bool watched() const noexcept { return watch_ != nullptr; }
  /// Starts the watch, if there is one; done with every use.
  void touch();
  [[nodiscard]] bool follows_patroni() const noexcept { return patroni_ != nullptr; }
  /// Patroni has not yet said who the members are.
  [[nodiscard]] bool expects_members() const noexcept { return patroni_ != nullptr && !members_known_; }
  /// Patroni names a leader that answers and has not finished its promotion.
  [[nodiscard]] bool awaits_leader() const noexcept;
  /// When the watch was started.
  [[nodiscard]] TimePoint touched() const noexcept { return touched_; }
  /// Null without a watch.
  [[nodiscard]] const TopologySnapshot* snapshot() const noexcept {
    return watch_ ? watch_->snapshot().get() : nullptr;
  }
  /// Something went wrong somewhere: everybody is looked at now.
  void poke() noexcept;
  /// A read waits until then for what a look at `place` will show.
  void hurry(std::size_t place, TimePoint until) noexcept;
  /// Until each place was seen once, or the deadline.
  Task<void> first_look(TimePoint deadline);

  /// What is known of the place of an endpoint, for status.
  [[nodiscard]] std::optional<ReplicationStatus> replication(const Endpoint& endpoint) const;
  [[nodiscard]] std::optional<ReplicationStatus> replication(std::size_t place) const;

  /// All endpoints, those that are made later included.
  void set_paused(bool on) noexcept;

  /// Ends all sessions and the watch at once.
  void close() noexcept;
  /// Ends the watch; operations go where the last look said.
  void stop_watch() noexcept;

 private:
  /// Endpoints of one place that may be the primary.
  struct Side {
    ConnectionOptions connection;
    std::optional<ConnectionOptions> write_connection;  ///< when writes log in otherwise
    std::unique_ptr<Endpoint> primary, writer, reader;
  };
  struct Replica {
    const ReplicaConfig* config;
    std::size_t place;
    std::unique_ptr<Endpoint> endpoint;
  };

  void on_observed(TopologyChange change) noexcept override;
  void on_connect_failed(Endpoint& endpoint) noexcept override;
  void add_places();
  void add_place(WatchedPlace place, const std::vector<HostSpec>& hosts);
  void on_members(const std::vector<PatroniMember>& members);
  [[nodiscard]] Side& side() noexcept { return *sides_[side_]; }
  /// Makes the endpoints of a place that is the primary now.
  void open_side(std::size_t index);
  std::unique_ptr<Endpoint> make_endpoint(EndpointRole role, std::string name, const ConnectionOptions& connection,
                                          const PoolConfig& pool, bool read_only, std::string breakers_of = {});
  void give_lane(Endpoint& endpoint);

  const DatabaseConfig& config_;
  const std::string region_;
  std::shared_ptr<pool::PermitCounter> permits_;
  resilience::SharedBreakers& breakers_;
  LaneKeeper lanes_;  // used by the endpoints
  PoolConfig reader_pool_;
  std::vector<WatchedPlace> watched_places_;
  /// The configuration's primary first, then one for each place (null where it can't be the primary).
  std::vector<std::unique_ptr<Side>> sides_;
  std::size_t side_ = 0;  ///< in use; place + 1, or 0 for the primary as configured
  std::vector<Replica> replicas_;
  std::unique_ptr<TopologyWatch> watch_;
  std::unique_ptr<PatroniSource> patroni_;
  bool members_known_ = false;
  bool paused_ = false;
  std::optional<std::size_t> leader_;  ///< the place that Patroni calls so
  TimePoint touched_{};
  std::function<void()> on_news_;
};

}  // namespace switchyard::inline v0::fleet
