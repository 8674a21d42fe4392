// What becomes of a database's operations while it can't be reached: the settings when_down and fallback, and
// maintenance. One object a database and shard; the rules are in SpoolGate and SpoolDrain, this is their driver.
//
//   fail            nothing: errors come through
//   read-fallback   reads are answered by the fallback database, flagged as partial; writes fail
//   spool           as read-fallback, and writes are kept in the fallback database, then applied in order, exactly
//   once
//
// "Can't be reached" is an operation of which nothing was sent: connecting failed, or a breaker is open. What was
// sent and lost is in doubt as always, and never repeated here.
#pragma once

#include <switchyard/config/fleet_config.hpp>
#include <switchyard/fleet/diversion.hpp>
#include <switchyard/fleet/request_context.hpp>
#include <switchyard/fleet/route.hpp>
#include <switchyard/fleet/spool_cipher.hpp>
#include <switchyard/fleet/spool_drain.hpp>
#include <switchyard/fleet/spool_gate.hpp>
#include <switchyard/fleet/spool_recorder.hpp>
#include <switchyard/fleet/spool_store.hpp>
#include <switchyard/fleet/spool_target.hpp>
#include <switchyard/fleet/status.hpp>
#include <switchyard/fleet/transaction.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/owned_task.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::fleet {

class JoinedRoute;

/// What a fallback needs to know of its database.
struct FallbackPlan {
  std::string database;
  std::string fallback;  ///< the database that keeps and answers
  WhenDown when_down = WhenDown::fail;
  bool confidential = false;
  SpoolLimits limits;
  SpoolTimes times;
  std::optional<SpoolCipher> cipher;
  /// Told when maintenance begins (true) and ends.
  std::function<void(bool)> on_maintenance;
  /// An operator keeps everybody away from the database.
  std::function<bool()> barred;
  /// The database answers again.
  std::function<void()> on_reached;
  /// Called before each step of draining; for tests.
  std::function<void(DrainStep)> before_step;
};

/// Routes that ask no diversion.
struct FallbackRoutes {
  std::shared_ptr<Route> home;    ///< writes to the fallback database
  std::shared_ptr<Route> reads;   ///< reads of the fallback database
  std::shared_ptr<Route> target;  ///< writes to the database itself
};

class Fallback final : public Diversion,
                       public session::OperationHost,
                       public SpoolCommit,
                       public std::enable_shared_from_this<Fallback> {
 public:
  Fallback(FallbackPlan plan, FallbackRoutes routes);
  ~Fallback();
  Fallback(const Fallback&) = delete;
  Fallback& operator=(const Fallback&) = delete;

  /// The fleet goes: nothing is taken or drained any more.
  void retire() noexcept;

  [[nodiscard]] const FallbackPlan& plan() const noexcept { return plan_; }
  [[nodiscard]] bool spools() const noexcept { return plan_.when_down == WhenDown::spool; }
  [[nodiscard]] bool maintenance() const noexcept { return gate_.maintenance(); }
  /// As of the last look.
  [[nodiscard]] SpoolStatus status() const;
  /// Looks at the fallback now; makes the tables if the spool is on. Starts to drain what is there. Throws Error.
  Task<void> inspect();
  /// From now on looks every few seconds, also while nothing is written.
  void watch() noexcept;
  /// Done when the spool is empty and writes go to the database again; Deadline otherwise.
  Task<void> drained(TimePoint deadline);

  /// A write that is kept within `within`, a transaction on the fallback database, when it is kept at all.
  void start_within(session::OperationState& operation, Route& route, Transaction within) noexcept;
  /// Operations of `route` keep belonging to its transaction when they come back from the database unsent.
  void add_joined(const JoinedRoute& route) { joined_.push_back(&route); }
  void remove_joined(const JoinedRoute& route) noexcept { std::erase(joined_, &route); }

  // Diversion
  [[nodiscard]] bool stands_in() const noexcept override;
  [[nodiscard]] bool has_other_way() const noexcept override { return plan_.when_down != WhenDown::fail; }
  [[nodiscard]] bool takes(session::OperationState& operation, Route& route) noexcept override;
  [[nodiscard]] bool rescues(session::OperationState& operation, Route& route) noexcept override;
  Task<std::shared_ptr<Channel>> divert(Route& route, session::CallContext call, const Error* failure) override;

  // session::OperationHost
  void start(session::OperationState& operation) noexcept override;
  void abandon(session::OperationState& operation) noexcept override;
  void expire(session::OperationState& operation) noexcept override;

  // SpoolCommit
  void commit(session::OperationState& commit, SpoolEntry entry) noexcept override;

 private:
  struct Pending;

  void adopt(session::OperationState& operation, Route& route, std::optional<Transaction> within) noexcept;
  static Task<void> carry(std::shared_ptr<Fallback> self, std::shared_ptr<Pending> pending);
  Task<void> carry_read(Pending& pending);
  Task<void> carry_write(Pending& pending);
  /// Keeps the entry, and false if the gate is closed: it has to go direct. Throws Error.
  Task<bool> keep(Pending& pending);
  /// Until it is clear where writes go. True: to the spool. Throws Error.
  Task<bool> settle(TimePoint deadline);
  void give_back(Pending& pending) noexcept;
  void answer_elsewhere(Pending& pending) noexcept;
  void finish_kept(Pending& pending) noexcept;

  [[nodiscard]] bool down(TimePoint now) const noexcept { return now < down_until_ || gate_.maintenance(); }
  [[nodiscard]] bool is_unreachable(const Error& error) const noexcept;
  [[nodiscard]] Error down_error(std::string_view what) const;
  [[nodiscard]] std::optional<Error> full_error(std::uint64_t bytes, TimePoint now) const;

  void start_look() noexcept;
  void note_maintenance() noexcept;
  static Task<void> watch_loop(Fallback& self);
  static Task<void> look(std::shared_ptr<Fallback> self);
  void start_open() noexcept;
  static Task<void> open(std::shared_ptr<Fallback> self);
  void announce_open() noexcept;
  void announce_closed() noexcept;

  void poke_drain() noexcept;
  static Task<void> drain_loop(Fallback& self);
  Task<void> drain_rest(TimePoint until);
  /// One step; what it came to is told to the machine.
  Task<void> drain_step(DrainAction action);
  Task<DrainOutcome> perform(DrainAction action, std::size_t& count);
  Task<DrainOutcome> apply();

  FallbackPlan plan_;
  FallbackRoutes routes_;
  std::string partial_reason_;
  std::string kept_reason_;
  SpoolGate gate_;
  SpoolStore store_;
  SpoolTarget target_;
  bool retired_ = false;

  std::vector<const JoinedRoute*> joined_;
  TimePoint down_until_{};
  std::optional<Error> down_cause_;
  runtime::AsyncEvent changed_;  ///< a look or an opening has ended
  std::uint64_t open_failures_ = 0;
  std::optional<Error> open_error_;

  SpoolDrain drain_;
  runtime::OwnedTask draining_;
  runtime::OwnedTask watching_;
  bool in_maintenance_ = false;  ///< as announced
  runtime::AsyncEvent poked_;
  Uuid holder_;
  std::int64_t token_ = 0;
  std::vector<StoredEntry> batch_;
  std::vector<Uuid> forgettable_;  ///< what the progress row names
  std::optional<Error> refusal_;   ///< of the entry to be buried
  std::string drain_error_;
  std::uint64_t refused_ = 0;  ///< in the fallback, as of the last look
  std::uint64_t kept_total_ = 0;
  std::uint64_t drained_total_ = 0;
  TimePoint spooling_since_{};
};

}  // namespace switchyard::inline v0::fleet
