// The watch over the places of one database: a prober for each, and the tracker of what they see. It begins with
// the first use of the database, not before.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/fleet/prober.hpp>
#include <switchyard/fleet/topology.hpp>
#include <switchyard/runtime/event.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace switchyard::inline v0::fleet {

struct WatchedPlace {
  PlaceDescription description;
  ConnectionOptions connection;  ///< with one host
};

class TopologyWatch final : private Prober::Listener {
 public:
  class Observer {
   public:
    /// Something was seen; `snapshot()` is new.
    virtual void on_observed(TopologyChange change) noexcept = 0;

   protected:
    ~Observer() = default;
  };

  /// `database` is for log lines; `observer` outlives the watch.
  TopologyWatch(std::string database, std::vector<WatchedPlace> places, ProbeSettings settings, Observer& observer);
  TopologyWatch(const TopologyWatch&) = delete;
  TopologyWatch& operator=(const TopologyWatch&) = delete;
  ~TopologyWatch();

  /// One more place, looked at from now on if the others are.
  void add(WatchedPlace place);
  /// Starts looking; later calls do nothing.
  void start();
  /// Ends every probe and its session. start() would begin anew.
  void stop() noexcept;
  [[nodiscard]] bool running() const noexcept { return !probers_.empty(); }

  /// An error, or a refused write, says that things have changed: everybody is looked at now.
  void poke() noexcept;
  /// Somebody waits until then for what a look at `place` will show.
  void hurry(std::size_t place, TimePoint until) noexcept;

  [[nodiscard]] const std::shared_ptr<const TopologySnapshot>& snapshot() const noexcept {
    return topology_.snapshot();
  }
  /// Starts, and waits until each place has answered or failed at least once, or the deadline.
  Task<void> first_look(TimePoint deadline);

 private:
  void on_answer(std::size_t place, const ProbeAnswer& answer, TimePoint asked, TimePoint now) noexcept override;
  void on_history(std::size_t place, std::vector<TimelineFork> forks) noexcept override;
  void on_failure(std::size_t place, const Error& error, TimePoint now) noexcept override;
  void on_late(std::size_t place) noexcept override;
  void add_prober(std::size_t place);
  void tell(std::size_t place, TopologyChange change) noexcept;
  [[nodiscard]] bool seen_all() const noexcept;

  std::string database_;
  std::vector<WatchedPlace> places_;
  ProbeSettings settings_;
  Observer& observer_;
  Topology topology_;
  std::vector<std::unique_ptr<Prober>> probers_;  ///< empty until started
  runtime::AsyncEvent seen_;
};

}  // namespace switchyard::inline v0::fleet
