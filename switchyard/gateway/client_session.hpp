// One client of the gateway: its login, its machine, and the session that it has at the moment. Internal to the
// room.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/gateway/access.hpp>
#include <switchyard/gateway/client_machine.hpp>
#include <switchyard/gateway/client_reads.hpp>
#include <switchyard/gateway/client_report.hpp>
#include <switchyard/gateway/console_machine.hpp>
#include <switchyard/gateway/destination.hpp>
#include <switchyard/gateway/settings.hpp>
#include <switchyard/gateway/shard_directory.hpp>
#include <switchyard/gateway/startup_settings.hpp>
#include <switchyard/gateway/travelling_client.hpp>
#include <switchyard/protocol/frame.hpp>
#include <switchyard/protocol/server_startup.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/owned_task.hpp>
#include <switchyard/runtime/stream.hpp>
#include <switchyard/runtime/timer.hpp>
#include <switchyard/runtime/turn_end.hpp>
#include <switchyard/session/session.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace switchyard::inline v0::gateway {

class ClientSession;
class Console;
struct Traffic;

/// What a client needs of the gateway.
class ClientHost {
 public:
  [[nodiscard]] virtual Fleet& fleet() noexcept = 0;
  [[nodiscard]] virtual const GatewaySettings& settings() const noexcept = 0;
  [[nodiscard]] virtual Access& access() noexcept = 0;
  /// What clients of a database and role share; `database` is a name for Fleet::database(). Null: the fleet's role.
  [[nodiscard]] virtual Destination& destination(const std::string& database, RoleFleets::Place* role) = 0;
  /// `database` is the fleet's name for it.
  [[nodiscard]] virtual std::shared_ptr<WriteMark> write_mark(std::string_view database) = 0;
  /// A client has changed the catalogue: what others prepare from now on is prepared anew.
  virtual void on_catalogue_change() noexcept = 0;
  /// May this client go on to log in, or are there too many?
  [[nodiscard]] virtual bool has_room() const noexcept = 0;
  /// Asks to cancel what the client with this key runs. False: there is none. Else `asker` hears
  /// ClientSession::on_cancel_done().
  [[nodiscard]] virtual bool cancel(const protocol::BackendKey& key, ClientSession& asker) noexcept = 0;
  virtual void on_cancel_done(std::uint32_t asker) noexcept = 0;
  [[nodiscard]] virtual Console& console() noexcept = 0;
  /// Whom the client wants is known. True: it goes to another shard, which takes it over with depart().
  [[nodiscard]] virtual bool place(ClientSession& client) noexcept = 0;
  /// The client is who it says.
  virtual void on_authenticated(ClientSession& client) noexcept = 0;
  /// The client has ended; it is destroyed at the end of the turn.
  virtual void on_ended(ClientSession& client) noexcept = 0;

 protected:
  ~ClientHost() = default;
};

//  startup ─admit─► opening ─parameters known─► serving
//     │ refused        │ refused                   │ client leaves: ended
//     └────────────────┴─────────► draining ◄──────┘ a session is lost that was in use
//  draining: what the client has not taken yet goes out, then ended. cancelling (instead of opening): waits until
//  the server has taken a cancel request.
class ClientSession final : private runtime::Stream::Handler,
                            private session::Session::Relay,
                            private Destination::Waiter,
                            private ConsoleMachine::Listener,
                            private ListenHub::Member,
                            private WireStatement::Owner {
 public:
  /// `id` is the process id that the client is told.
  ClientSession(ClientHost& host, std::unique_ptr<runtime::Stream> stream, std::uint32_t id);
  /// One that comes from another shard; start_over() instead of start().
  ClientSession(ClientHost& host, std::unique_ptr<runtime::Stream> stream, std::uint32_t id,
                protocol::ServerStartupMachine startup);
  /// One that comes from another process; arrive() instead of start().
  ClientSession(ClientHost& host, std::unique_ptr<runtime::Stream> stream, const TravellingClient& client);
  ~ClientSession();
  ClientSession(const ClientSession&) = delete;
  ClientSession& operator=(const ClientSession&) = delete;

  void start() noexcept;
  void start_over() noexcept;
  void arrive(const TravellingClient& client) noexcept;
  /// Leaves for another shard, out of ClientHost::place(): this one has ended. Empty: it has ended in any case.
  [[nodiscard]] ArrivingClient depart() noexcept;
  [[nodiscard]] const protocol::LoginRequest& login() const noexcept { return machine_.login(); }
  /// Ends at once, with a reason for the client if it can be told.
  void end(std::string_view sqlstate, std::string message) noexcept;
  /// Passes a cancel request with this key on.
  [[nodiscard]] bool cancel(const protocol::BackendKey& key, std::uint32_t asker) noexcept;
  void on_cancel_done() noexcept;

  [[nodiscard]] std::uint32_t id() const noexcept { return id_; }
  /// The client's; "[local]" by a Unix-domain socket.
  [[nodiscard]] std::string address() const;
  [[nodiscard]] bool serving() const noexcept { return state_ == State::serving; }
  /// Something it asked for is not answered yet, or a transaction is open.
  [[nodiscard]] bool busy() const noexcept {
    return state_ == State::opening || waiting_ || (state_ == State::serving && mux_->busy());
  }
  /// For how long it has asked for nothing, looked at every second or so: what runs in between is not noticed, but
  /// begins with something that it sends.
  struct Idleness {
    Duration time{};
    bool in_transaction = false;  ///< or in a group whose Sync has not come
  };
  [[nodiscard]] Idleness idleness(TimePoint now) noexcept;
  [[nodiscard]] bool holds_session() const noexcept { return link_ != nullptr; }
  [[nodiscard]] bool waits_for_session() const noexcept { return waiting_; }
  [[nodiscard]] bool authenticated() const noexcept { return authenticated_; }
  /// It has not proved yet who it is.
  [[nodiscard]] bool logging_in() const noexcept { return state_ == State::startup; }
  [[nodiscard]] bool was_served() const noexcept { return served_; }
  [[nodiscard]] ClientReport report() const;
  /// After SUSPEND nothing is read until the end of it.
  void set_suspended(bool on) noexcept;
  [[nodiscard]] bool asked_to_cancel() const noexcept { return asked_to_cancel_; }
  [[nodiscard]] bool departed() const noexcept { return departed_; }
  /// It may go to another process now.
  [[nodiscard]] bool can_travel() const noexcept {
    return state_ == State::serving && link_ == nullptr && !waiting_ && askers_.empty() && !stream_->is_tls() &&
           !wire_.running() && !mux_->listens() && !behind_ && left_.size() == 0 && unread_ <= kMostOnTheWay &&
           stream_->unsent() <= kMostOnTheWay && !too_large_ && mux_->can_travel();
  }
  [[nodiscard]] bool on_console() const noexcept { return state_ == State::console; }
  [[nodiscard]] bool over() const noexcept { return state_ == State::ended; }
  /// It stays as long as it lives.
  [[nodiscard]] bool stays() const noexcept { return stream_->is_tls(); }
  /// Requires can_travel(). Afterwards this one has ended; `parcel` keeps the socket until it is dropped. Nothing:
  /// what it has prepared is more than can be handed over, and it stays.
  [[nodiscard]] std::optional<TravellingClient> travel(runtime::StreamParcel& parcel);
  /// It came from another process.
  [[nodiscard]] bool has_travelled() const noexcept { return travelled_; }
  /// The database; null before it is known, and on the console.
  [[nodiscard]] const DatabaseConfig* place() const noexcept { return place_; }

 private:
  /// Of bytes to and from a client that goes to another process.
  static constexpr std::size_t kMostOnTheWay = 1 << 20;

  enum class State : std::uint8_t { startup, opening, serving, console, cancelling, draining, ended };

  // The client.
  void on_data(base::ReadBuffer& in) noexcept override;
  void on_closed(const Error& error) noexcept override;
  void on_drained() noexcept override;
  // The server.
  void on_bytes(base::ReadBuffer& in) noexcept override;
  void on_cancel_settled() noexcept override;
  void on_lost(const Error& reason) noexcept override;
  void on_sent() noexcept override;
  // The destination.
  void on_link(ServerLink& link) noexcept override;
  void on_no_link(const Error& error) noexcept override;
  Destination::OtherWay take_other_way() noexcept override;

  // The shared lane.
  void on_answered() noexcept override;
  void on_lease(std::string_view why, ByteView messages) noexcept override;

  // Notifications.
  void on_notification(std::int32_t server_pid, std::string_view channel,
                       std::string_view payload) noexcept override;
  void on_hub_ready(bool ready) noexcept override;
  void on_hub_lost(const Error& reason) noexcept override;
  void ask_hub() noexcept;
  void deliver() noexcept;

  // The console.
  void on_console_answered() noexcept override;

  void act(protocol::ServerStartupAction action) noexcept;
  void decide() noexcept;
  void note_refusal(const ServerFields& error) const noexcept;
  /// Tells the client why it gets no session.
  void refuse(const Error& error) noexcept;
  [[nodiscard]] Result<void> find_place();
  /// Sessions of the fleet's own pools are for him.
  [[nodiscard]] bool acts_as_fleet(const DatabaseConfig& database, std::string_view user) const noexcept;
  /// Sessions that log in as the client's role, where that is not the fleet's.
  [[nodiscard]] Result<void> find_role(const DatabaseConfig& database);
  [[nodiscard]] Task<void> look_up(const DatabaseConfig& database);
  void open() noexcept;
  void learn() noexcept;
  [[nodiscard]] SettingsRef learnt_settings() const;
  void admit() noexcept;
  void open_console() noexcept;
  void talk_to_console(base::ReadBuffer& in) noexcept;
  /// Gives the machine what the client has sent.
  void pump(base::ReadBuffer& in) noexcept;
  /// Gives what comes first to the shared lane, if it is a matter for that.
  /// Zero: it is not; else so many of the bytes are the lane's now.
  [[nodiscard]] std::size_t share(ByteView in) noexcept;
  /// Gives the machine what has left the lane.
  void pump_left() noexcept;
  void note_settings() noexcept;
  /// What the machine has left to do: bytes to write, a session to leave.
  void after_machine() noexcept;
  void leave_session() noexcept;
  /// The client goes, and nobody else.
  void end_without_memory() noexcept;
  [[nodiscard]] bool must_keep() const noexcept;
  /// At texts of it that are not understood yet.
  void look_again() noexcept;
  /// Why it keeps the session that it has; empty: it does not.
  [[nodiscard]] std::string pin_text() const;
  /// Where its statements go, and why.
  [[nodiscard]] std::string route_text() const;
  /// For what comes first in `in`; null: to log in.
  [[nodiscard]] bool take_session(const base::ReadBuffer* in) noexcept;
  void use(ServerLink& link) noexcept;
  /// What of what is asked for next may run at a replica; what it is, if it may run a second time.
  [[nodiscard]] ClientMachine::Use read_in(const base::ReadBuffer& in, ByteView& again);
  [[nodiscard]] bool routes() const noexcept { return reads_ && !keeps_ && !reads_->stopped; }
  [[nodiscard]] bool routes_statements() const noexcept;
  /// The session is one for reads only, of a client that does more than that.
  [[nodiscard]] bool at_replica() const noexcept {
    return link_ != nullptr && reads_ && &link_->destination() != destination_;
  }
  void leave_replica() noexcept;
  void note_read(std::string_view route) noexcept;
  /// Lets the machine have again what had begun elsewhere.
  void run_again() noexcept;
  void prepare_reads(const std::string& user);
  /// Shows the client's messages again that had to wait.
  void go_on() noexcept;
  void show_input() noexcept;
  /// Messages that come before those of the client's socket. False: memory is short, and the client has ended.
  [[nodiscard]] bool put_first(ByteView messages) noexcept;
  /// The secret of its cancel key. False: there is none, and the client has been refused.
  [[nodiscard]] bool make_key() noexcept;
  /// The session is the client's no more.
  [[nodiscard]] ServerLink& let_go() noexcept;
  /// The same, and something is left on it.
  void dismiss_session(Claim claims) noexcept;
  void tell(ServerFields fields) noexcept;
  void release_session() noexcept;
  void drain() noexcept;
  void finish() noexcept;
  void settle_askers() noexcept;
  [[nodiscard]] Task<void> handshake();
  static void on_timer(void* self) noexcept;
  static void on_left(void* self) noexcept { static_cast<ClientSession*>(self)->pump_left(); }

  ClientHost& host_;
  std::unique_ptr<runtime::Stream> stream_;
  const std::uint32_t id_;
  State state_ = State::startup;
  bool placed_ = false;  ///< on the shard where it stays
  bool authenticated_ = false;
  bool served_ = false;
  bool asked_to_cancel_ = false;
  bool departed_ = false;
  bool travelled_ = false;                 ///< came from another process
  bool asked_for_ = false;                 ///< its user is not in the list, but has been looked up on the server
  bool too_large_ = false;                 ///< to go to another process
  bool waiting_ = false;                   ///< for a session
  std::string user_;                       ///< of one that came from another process
  std::string database_;                   ///< a name for Fleet::database()
  const DatabaseConfig* place_ = nullptr;  ///< what it is a name or a view of; null on the console
  Settings settings_;                      ///< of the startup packet
  protocol::ServerStartupMachine machine_;
  AccessMethod method_ = AccessMethod::reject;
  AuthQuery::Answer looked_up_;  ///< of a user that is not in the list
  runtime::OwnedTask lookup_;
  std::shared_ptr<RoleFleets::Place> role_;  ///< null: the fleet's own
  protocol::BackendKey key_;
  Destination* destination_ = nullptr;
  ServerLink* link_ = nullptr;
  std::optional<ClientMachine> mux_;
  // Replicas.
  std::unique_ptr<ClientReads> reads_;  ///< null: the database has none
  Destination* waits_for_ = nullptr;
  ClientMachine::Use wanted_use_ = ClientMachine::Use::anything;  ///< of the session that it takes
  bool once_at_primary_ = false;
  ListenHub* hub_ = nullptr;  ///< that has been asked for something
  bool overrun_ = false;      ///< too many notifications wait
  std::string again_;         ///< the read that is under way there, should it have to run elsewhere
  // The shared lane.
  WireStatement wire_;
  bool shares_ = false;         ///< lanes are for it
  bool shares_soon_ = false;    ///< what comes first was refused, and may be taken in a moment
  bool keeps_ = false;          ///< pool_mode = session: what it has had once it keeps
  bool behind_ = false;         ///< more came while a statement was in the lane
  base::ReadBuffer left_;       ///< messages that have left the lane, for the machine
  SettingsRef noted_settings_;  ///< those of the next two
  LaneMeaningRef meaning_;
  Duration statement_timeout_{};
  runtime::TurnEnd left_turn_{&ClientSession::on_left, this};
  std::vector<std::uint32_t> askers_;
  std::unique_ptr<ConsoleMachine> console_;
  Traffic* traffic_ = nullptr;  ///< of its database, once it is served
  const TimePoint connected_ = runtime::now();
  TimePoint active_{};  ///< when it was last seen at something
  TimePoint asked_{};
  std::size_t unread_ = 0;  ///< bytes that it has sent, and that wait
  TimePoint began_{};       ///< when it sent the first of what is not settled yet
  TimePoint waits_since_{};
  std::string application_name_;
  runtime::Timer timer_{&ClientSession::on_timer, this};
  runtime::OwnedTask task_;
};

}  // namespace switchyard::inline v0::gateway
