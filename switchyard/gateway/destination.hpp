// What the clients of one database and role share: the sessions at hand, who waits for one, the statements they
// prepared, and what a client is told when it logs in. Internal to the room.
//
// Sessions come from the fleet's pool and stay at hand for a moment after a client has left them, so that the next
// transaction finds one without asking the pool, the same client its own as a rule. They go back when others wait
// for the pool, or when nobody has wanted them for a second.
//
// A destination of reads (a read view of a database with replicas) has sessions at several servers: which of them
// may serve a client is the fleet's choice for that client at that moment, made before it is given one, so that
// each waits for its own.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/fleet/chooser.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/gateway/client_machine.hpp>
#include <switchyard/gateway/interns.hpp>
#include <switchyard/gateway/lane_meaning.hpp>
#include <switchyard/gateway/listen_hub.hpp>
#include <switchyard/gateway/server_link.hpp>
#include <switchyard/gateway/session_shares.hpp>
#include <switchyard/gateway/setting_sets.hpp>
#include <switchyard/gateway/shard_report.hpp>
#include <switchyard/gateway/statement_house.hpp>
#include <switchyard/runtime/link.hpp>
#include <switchyard/runtime/owned_task.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/timer.hpp>
#include <switchyard/runtime/turn_end.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::gateway {

struct DestinationStatus {
  std::uint32_t links = 0;    ///< sessions the gateway has
  std::uint32_t idle = 0;     ///< of them: with no client
  std::uint32_t waiting = 0;  ///< clients that wait for one
};

/// It has servers to choose from for a read.
[[nodiscard]] bool has_replicas(const DatabaseConfig& database) noexcept;

class Destination {
 public:
  enum class Hope : std::uint8_t {
    a_session,    ///< only that will do
    another_way,  ///< for the moment: the shared lane may take what it asks for before a session is free
  };
  enum class OtherWay : std::uint8_t {
    taken,    ///< he waits no longer
    not_yet,  ///< to be asked again
    none,     ///< only a session will do
  };

 private:
  struct PlaceInLine : runtime::Link {};
  struct PlaceOfHope : runtime::Link {};

 public:
  /// A client that wants a session.
  class Waiter : private PlaceInLine, private PlaceOfHope {
   public:
    /// The session is his. Called from the loop.
    virtual void on_link(ServerLink& link) noexcept = 0;
    /// He waits no longer.
    virtual void on_no_link(const Error& error) noexcept = 0;
    /// Of one that waits with Hope::another_way: does he have it now? He does not call the destination from here.
    [[nodiscard]] virtual OtherWay take_other_way() noexcept { return OtherWay::none; }

   protected:
    ~Waiter() = default;

   private:
    friend class Destination;
    [[nodiscard]] bool waiting() const noexcept { return PlaceInLine::linked(); }
    session::CallContext call_;  ///< of one that reads
    TimePoint since_{};
    bool asks_ = false;  ///< for a place among those that his user and database may have
  };

  /// What clients with these settings are told at their login.
  struct Login {
    SettingsRef settings;    ///< with the values that the server gave them
    SettingsRef parameters;  ///< application_name aside
    TimePoint learnt{};
  };

  struct Options {
    /// Nobody waits longer for a session, or than the database's acquire_timeout; zero: no limit of its own.
    Duration longest_wait{};
    /// Who may use how many sessions, and as whom these clients are counted.
    std::shared_ptr<SessionShares> shares;
    std::string user{};
    std::string fleet_database{};         ///< the database's name, without view
    fleet::OwnerGuard* owners = nullptr;  ///< of the application's fleet, which outlives it; null: nobody looks
    /// Another destination's of the same database and role; null: a new one.
    std::shared_ptr<StatementHouse> house{};
  };
  /// `database` is a name for Fleet::database().
  Destination(Fleet& fleet, std::string database, Options options);
  ~Destination();
  Destination(const Destination&) = delete;
  Destination& operator=(const Destination&) = delete;

  [[nodiscard]] SharedStatements statements() noexcept;
  /// On one session, for clients that come from now on.
  void set_max_prepared(std::size_t count) noexcept { max_prepared_ = count; }
  void set_longest_wait(Duration longest_wait) noexcept { options_.longest_wait = longest_wait; }
  [[nodiscard]] const std::shared_ptr<StatementHouse>& house() const noexcept { return house_; }
  /// The database's name without ":read" and the like.
  [[nodiscard]] static std::string_view base_name(const FleetConfig& fleet, std::string_view database) noexcept;
  /// A client may have to go to another server than the one before him.
  [[nodiscard]] bool chooses() const noexcept { return chooses_; }

  /// The database, for what shares sessions; null while there is none.
  [[nodiscard]] const DatabaseHandle* database() noexcept;
  [[nodiscard]] LaneMeanings& meanings() noexcept { return house_->meanings; }

  /// Who listens for its clients; null: nobody can, for a view only reads, and one session is too few for two.
  [[nodiscard]] ListenHub* hub() noexcept;
  [[nodiscard]] bool may_listen() const noexcept { return may_listen_; }

  /// A session at hand; the one that `client` had last if it is there. Null: none, or others wait already. `call`
  /// is the client's where chooses().
  [[nodiscard]] ServerLink* take(std::uint32_t client, const session::CallContext& call = {}) noexcept;
  void wait(Waiter& waiter, session::CallContext call = {}, Hope hope = Hope::a_session) noexcept;
  void withdraw(Waiter& waiter) noexcept;

  /// The session is clean but for settings that its state tells, and free for anybody.
  void give(ServerLink& link) noexcept;
  /// Something is left on it; nothing is outstanding.
  void dismiss(ServerLink& link, Claim claims, std::span<const std::string> texts) noexcept;
  /// Nobody may have it.
  void end(ServerLink& link, const Error& reason) noexcept;
  /// It has been lost; its user knows.
  void on_lost(ServerLink& link) noexcept;

  /// The name is that of the database, or of a view of it.
  [[nodiscard]] bool belongs_to(std::string_view database) const noexcept;
  /// Sessions go back now, those that clients have when they leave them.
  void give_back() noexcept;

  /// Null: has to be learnt.
  [[nodiscard]] const Login* find_login(const SettingsRef& startup) noexcept;
  void add_login(const SettingsRef& startup, SettingsRef settings, SettingsRef parameters);

  [[nodiscard]] DestinationStatus status() const noexcept;
  /// Appends what its clients have prepared.
  void report_statements(std::vector<PreparedReport>& out) const;

 private:
  /// What SessionShares wakes: on this shard, and as long as the destination lives.
  struct Turns {
    Destination* destination = nullptr;
    runtime::Shard* shard = nullptr;
    std::shared_ptr<SessionShares::Claim> claim;
  };
  /// A session is being asked for.
  struct Acquisition {
    runtime::OwnedTask task;
    bool done = false;
    Waiter* waiter = nullptr;  ///< whom it is for, where chooses()
  };
  enum class Ask : bool { if_there_is_room, in_any_case };
  [[nodiscard]] Task<void> acquire(Acquisition& acquisition, DatabaseHandle handle);
  void acquire_more(Ask ask = Ask::if_there_is_room) noexcept;
  /// False: memory is short.
  [[nodiscard]] bool start_acquisition(Waiter* waiter, DatabaseHandle handle) noexcept;
  [[nodiscard]] bool has_room() const noexcept;
  [[nodiscard]] std::size_t acquiring() const noexcept;
  /// What is asked for and nobody waits for any more.
  void drop_acquisitions() noexcept;
  void drop_acquisition(const Waiter& waiter) noexcept;
  [[nodiscard]] Acquisition* acquisition_of(const Waiter& waiter) noexcept;
  void acquire_for_each() noexcept;
  void on_acquired_for(Waiter* waiter, Result<std::shared_ptr<fleet::Channel>> opened) noexcept;
  /// Where the client would be sent now; null: nowhere yet.
  [[nodiscard]] fleet::Choice choose(const session::CallContext& call) noexcept;
  /// The session, or why it may not be used.
  [[nodiscard]] Result<ServerLink*> adopt(std::shared_ptr<fleet::Channel> channel);
  [[nodiscard]] Waiter* pick_waiter(ServerLink& link) noexcept;
  [[nodiscard]] Waiter* first() noexcept { return waiter_of(line_.front()); }
  [[nodiscard]] Waiter* next(const Waiter& waiter) noexcept {
    return waiter_of(line_.next(static_cast<const PlaceInLine&>(waiter)));
  }
  [[nodiscard]] static Waiter* waiter_of(runtime::Link* place) noexcept {
    return static_cast<Waiter*>(static_cast<PlaceInLine*>(place));
  }
  /// Those for whom the lane is ready now leave the line, in their order.
  void let_leave() noexcept;
  /// False: he has to wait for a place among those that his user and database may have.
  [[nodiscard]] bool grant(Waiter& waiter, ServerLink& link) noexcept;
  void on_acquired(Result<std::shared_ptr<fleet::Channel>> opened) noexcept;
  void arm_sweep() noexcept;
  void hand_out(ServerLink& link) noexcept;
  /// The client that had the session counts no more. True: somebody else may open one now.
  bool uncount(ServerLink& link) noexcept;
  /// Clients may have sessions that had to wait.
  void on_turn() noexcept;
  /// He waits no longer.
  void leave_line(Waiter& waiter) noexcept;
  /// Waiters that may have a session.
  [[nodiscard]] std::size_t ready() const noexcept;
  void lay_down(ServerLink& link) noexcept;
  void fail_waiters(const Error& error) noexcept;
  [[nodiscard]] bool others_wait(const ServerLink& link) const noexcept;
  void bury(ServerLink& link) noexcept;
  [[nodiscard]] bool waits_for_own_limit() const noexcept;
  void arm_deadline() noexcept;
  static void on_other_ways(void* self) noexcept;
  static void on_sweep(void* self) noexcept;
  static void on_deadline(void* self) noexcept;
  static void on_bury(void* self) noexcept;

  Fleet& fleet_;
  std::string database_;
  Options options_;
  std::shared_ptr<Turns> turns_;
  std::string role_;  ///< of its sessions; empty: whatever the connection string leads to
  Duration acquire_timeout_{};
  std::vector<std::string> harmless_;
  std::size_t max_prepared_ = 0;
  SharedStatements::Refusal refuses_;  ///< empty: nobody looks
  bool owns_house_ = true;
  std::shared_ptr<StatementHouse> house_;
  bool chooses_ = false;
  std::optional<DatabaseHandle> handle_;
  bool may_listen_ = false;
  std::unique_ptr<ListenHub> hub_;
  std::map<SettingsRef, Login> logins_;
  std::vector<std::unique_ptr<ServerLink>> links_;
  std::vector<ServerLink*> idle_;  ///< given last at the end
  std::vector<std::unique_ptr<ServerLink>> dead_;
  runtime::LinkList line_;    ///< of waiters: first come, first served
  runtime::LinkList hopers_;  ///< those of them who may find another way
  std::size_t waiting_ = 0;
  std::size_t asking_ = 0;  ///< of them: for a place
  std::vector<std::unique_ptr<Acquisition>> acquisitions_;
  runtime::Timer other_ways_{&Destination::on_other_ways, this};
  runtime::Timer sweep_{&Destination::on_sweep, this};
  runtime::Timer deadline_{&Destination::on_deadline, this};
  runtime::TurnEnd bury_{&Destination::on_bury, this};
};

}  // namespace switchyard::inline v0::gateway
