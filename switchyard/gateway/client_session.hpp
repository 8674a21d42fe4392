// One client of the gateway: its login, and the relay between it and the session it has. Internal to the room.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/gateway/client_report.hpp>
#include <switchyard/gateway/console_machine.hpp>
#include <switchyard/gateway/settings.hpp>
#include <switchyard/gateway/shard_directory.hpp>
#include <switchyard/gateway/startup_settings.hpp>
#include <switchyard/protocol/frame.hpp>
#include <switchyard/protocol/server_startup.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/owned_task.hpp>
#include <switchyard/runtime/stream.hpp>
#include <switchyard/runtime/timer.hpp>
#include <switchyard/session/session.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace switchyard::inline v0::fleet {
class Channel;
}

namespace switchyard::inline v0::gateway {

class ClientSession;
class Console;
struct Traffic;

/// What a client needs of the gateway.
class ClientHost {
 public:
  [[nodiscard]] virtual Fleet& fleet() noexcept = 0;
  [[nodiscard]] virtual const GatewaySettings& settings() const noexcept = 0;
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

//  startup ─admit─► opening ─session─► setting_up ─ReadyForQuery─► serving
//     │ refused        │ refused          │ refused                   │ client leaves: ended
//     └────────────────┴──────────────────┴───────► draining ◄────────┘ session lost
//  draining: what the client has not taken yet goes out, then ended. cancelling (instead of opening): waits until
//  the server has taken a cancel request. console (instead of opening): the gateway answers itself.
class ClientSession final : private runtime::Stream::Handler,
                            private session::Session::Relay,
                            private ConsoleMachine::Listener {
 public:
  /// `id` is the process id that the client is told.
  ClientSession(ClientHost& host, std::unique_ptr<runtime::Stream> stream, std::uint32_t id);
  /// One that comes from another shard; start_over() instead of start().
  ClientSession(ClientHost& host, std::unique_ptr<runtime::Stream> stream, std::uint32_t id,
                protocol::ServerStartupMachine startup);
  ~ClientSession();
  ClientSession(const ClientSession&) = delete;
  ClientSession& operator=(const ClientSession&) = delete;

  void start() noexcept;
  void start_over() noexcept;
  /// Leaves for another shard, out of ClientHost::place(): this one has ended. Empty: it has ended in any case.
  [[nodiscard]] ArrivingClient depart() noexcept;
  [[nodiscard]] const protocol::LoginRequest& login() const noexcept { return machine_.login(); }
  /// Ends at once, with a reason for the client if it can be told.
  void end(std::string_view sqlstate, std::string message) noexcept;
  /// Passes a cancel request with this key on.
  [[nodiscard]] bool cancel(const protocol::BackendKey& key, std::uint32_t asker) noexcept;
  void on_cancel_done() noexcept;

  [[nodiscard]] std::uint32_t id() const noexcept { return id_; }
  [[nodiscard]] bool serving() const noexcept { return state_ == State::serving; }
  /// Something it asked for is not answered yet, or a transaction is open.
  [[nodiscard]] bool busy() const noexcept {
    return state_ == State::opening || state_ == State::setting_up || busy_;
  }
  [[nodiscard]] bool authenticated() const noexcept { return authenticated_; }
  [[nodiscard]] bool was_served() const noexcept { return served_; }
  [[nodiscard]] ClientReport report() const;
  /// After SUSPEND nothing is read until the end of it.
  void set_suspended(bool on) noexcept;
  [[nodiscard]] bool asked_to_cancel() const noexcept { return asked_to_cancel_; }
  [[nodiscard]] bool departed() const noexcept { return departed_; }

 private:
  enum class State : std::uint8_t { startup, opening, setting_up, serving, console, cancelling, draining, ended };

  // The client.
  void on_data(base::ReadBuffer& in) noexcept override;
  void on_closed(const Error& error) noexcept override;
  void on_drained() noexcept override;
  // The server.
  void on_bytes(base::ReadBuffer& in) noexcept override;
  void on_cancel_settled() noexcept override;
  void on_lost(const Error& reason) noexcept override;
  void on_sent() noexcept override;

  // The console.
  void on_console_answered() noexcept override;

  void act(protocol::ServerStartupAction action) noexcept;
  void decide() noexcept;
  /// Tells the client why it gets no session.
  void refuse(const Error& error) noexcept;
  [[nodiscard]] Result<void> find_place();
  void forward(base::ReadBuffer& in) noexcept;
  void set_up(base::ReadBuffer& in) noexcept;
  void admit() noexcept;
  void open_console() noexcept;
  void talk_to_console(base::ReadBuffer& in) noexcept;
  void relay(base::ReadBuffer& in) noexcept;
  void send_to_client(ByteView bytes) noexcept;
  void send_to_server(ByteView bytes) noexcept;
  void pass_notification(const protocol::Frame& frame) noexcept;
  void note_error(ByteView body) noexcept;
  void tell(ServerFields fields) noexcept;
  void release_session() noexcept;
  void drain() noexcept;
  void finish() noexcept;
  void settle_askers() noexcept;
  [[nodiscard]] Task<void> handshake();
  [[nodiscard]] Task<void> open();
  static void on_timer(void* self) noexcept;

  ClientHost& host_;
  std::unique_ptr<runtime::Stream> stream_;
  const std::uint32_t id_;
  State state_ = State::startup;
  bool placed_ = false;  ///< on the shard where it stays
  bool authenticated_ = false;
  bool served_ = false;
  bool asked_to_cancel_ = false;
  bool departed_ = false;
  bool busy_ = false;        ///< between a message to the server and ReadyForQuery outside a transaction
  bool told_fatal_ = false;  ///< the server's last word has been passed on
  std::string database_;     ///< the fleet's name for it
  Settings settings_;
  protocol::ServerStartupMachine machine_;
  protocol::BackendKey key_;
  std::shared_ptr<fleet::Channel> channel_;
  Settings parameters_;  ///< as reported while the session is set up
  std::optional<ServerFields> setup_error_;
  std::size_t server_rest_ = 0;  ///< of a message of the server that is passed on in pieces
  std::vector<std::uint32_t> askers_;
  std::unique_ptr<ConsoleMachine> console_;
  Traffic* traffic_ = nullptr;  ///< of its database, once it is served
  const TimePoint connected_ = runtime::now();
  TimePoint asked_{};
  TimePoint waits_since_{};
  std::string application_name_;
  runtime::Timer timer_{&ClientSession::on_timer, this};
  runtime::OwnedTask task_;
};

}  // namespace switchyard::inline v0::gateway
