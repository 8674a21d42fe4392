// Looks at one place over a session of its own, when the machine (probe_machine.hpp) says so. It uses no pool and
// no permit: a full pool, or a place that hangs, keeps nobody from being looked at, and nobody from working.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/fleet/probe_answer.hpp>
#include <switchyard/fleet/probe_machine.hpp>
#include <switchyard/fleet/topology_snapshot.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/owned_task.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/runtime/timer.hpp>
#include <switchyard/session/connect_plan.hpp>
#include <switchyard/session/session.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace switchyard::inline v0::fleet {

/// The plan of an endpoint for a session that only looks.
[[nodiscard]] std::shared_ptr<const session::ConnectPlan> make_probe_plan(const ConnectionOptions& options,
                                                                          const ProbeSettings& settings);

/// Belongs to the shard it is started on.
class Prober {
 public:
  /// Who hears what was seen. May poke and hurry any prober from inside, and destroy none.
  class Listener {
   public:
    virtual void on_answer(std::size_t place, const ProbeAnswer& answer, TimePoint asked,
                           TimePoint now) noexcept = 0;
    virtual void on_history(std::size_t place, std::vector<TimelineFork> forks) noexcept = 0;
    virtual void on_failure(std::size_t place, const Error& error, TimePoint now) noexcept = 0;
    virtual void on_late(std::size_t place) noexcept = 0;

   protected:
    ~Listener() = default;
  };

  Prober(std::size_t place, std::shared_ptr<const session::ConnectPlan> plan, ProbeSettings settings,
         std::uint64_t seed, Listener& listener);
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;
  ~Prober();

  /// The first look begins in this turn. Once.
  void start();
  void poke() noexcept;
  void hurry(TimePoint until) noexcept;
  void set_urgent(bool urgent) noexcept;

 private:
  Task<void> run();
  Task<void> connect();
  Task<void> ask();
  /// The forks of a timeline, once for each.
  Task<void> ask_history(std::uint32_t timeline);
  void fail(const Error& error) noexcept;
  static void on_wake(void* self) noexcept;
  static void on_soft_limit(void* self) noexcept;

  const std::size_t place_;
  const std::shared_ptr<const session::ConnectPlan> plan_;
  const ProbeSettings settings_;
  Listener& listener_;
  ProbeMachine machine_;
  std::unique_ptr<session::Session> session_;
  std::uint32_t history_of_ = 0;  ///< the timeline whose history was asked for
  runtime::AsyncEvent wake_;
  runtime::Timer wake_timer_{&Prober::on_wake, this};
  runtime::Timer soft_timer_{&Prober::on_soft_limit, this};
  runtime::OwnedTask task_;
};

}  // namespace switchyard::inline v0::fleet
