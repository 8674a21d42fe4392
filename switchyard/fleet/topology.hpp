// Who is the primary, and how far behind is everybody else: the tracker of one database's places. A plain state
// machine; probes (prober.hpp) tell it what they saw.
//
// Rules
// - Only places of one cluster (system identifier) count. The first primary that is seen decides which cluster that
//   is; without one, the first standby.
// - A place that is not in recovery is the primary if it is the configured one, or if its timeline is later than
// that
//   of every primary seen before (it was promoted). The latest timeline wins. A primary on an earlier timeline than
//   that is `demoted`: it takes writes that nobody will ever see.
// - Any other place that is not in recovery is a logical replica.
// - While the primary does not answer it stays the primary, until another one is promoted: who takes over is
// decided
//   by those who run the servers.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/fleet/probe_answer.hpp>
#include <switchyard/fleet/topology_snapshot.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace switchyard::inline v0::fleet {

/// What an observation changed.
struct TopologyChange {
  bool primary = false;   ///< another place is the primary now, or one for the first time
  bool failover = false;  ///< one is that was not before
  bool reach = false;     ///< a place became reachable or unreachable, or changed its role
};

class SWITCHYARD_API Topology {
 public:
  explicit Topology(std::vector<PlaceDescription> places);

  /// One more place, behind the others; at most kMostPlaces in all.
  void add_place(PlaceDescription place);

  /// A probe of `place` that was sent at `asked` was answered at `now`.
  TopologyChange answered(std::size_t place, const ProbeAnswer& answer, TimePoint asked, TimePoint now);
  /// A probe failed: not connected, session lost, no answer in time, or an error of the server.
  TopologyChange failed(std::size_t place, std::string error, TimePoint now);
  /// A probe of this place takes longer than it should.
  void late(std::size_t place);
  /// The history of the primary's timeline: where earlier ones were left, exactly.
  void learn_forks(std::vector<TimelineFork> forks);

  [[nodiscard]] const std::shared_ptr<const TopologySnapshot>& snapshot() const noexcept { return snapshot_; }

 private:
  /// How far the primary had written at some time.
  struct Sample {
    TimePoint at;
    WalPosition lsn;
    std::uint32_t timeline;
  };
  void note_sample(TimePoint asked, WalPosition lsn, std::uint32_t timeline);
  [[nodiscard]] TimePoint covered_until(const EndpointHealth& health, const ProbeAnswer& answer,
                                        TimePoint asked) const;
  [[nodiscard]] bool takes_over(std::size_t place, const ProbeAnswer& answer) const noexcept;
  void note_fork(std::uint32_t timeline, WalPosition at);
  void publish();

  TopologySnapshot state_;
  std::shared_ptr<const TopologySnapshot> snapshot_;
  std::deque<Sample> samples_;  ///< oldest first
};

}  // namespace switchyard::inline v0::fleet
