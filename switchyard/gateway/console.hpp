// The console of a gateway: what its commands do, and what its tables show. One a shard, for all who use it there;
// what is decided on one holds on all, and the tables are those of all.
//
// PAUSE, RECONNECT and their like are the fleet's; the console waits for their end. A command that waits ends when
// its client cancels it or goes away: a PAUSE is taken back then.
#pragma once

#include <switchyard/fleet/fleet.hpp>
#include <switchyard/gateway/client_report.hpp>
#include <switchyard/gateway/console_machine.hpp>
#include <switchyard/gateway/console_order.hpp>
#include <switchyard/gateway/settings.hpp>
#include <switchyard/gateway/shard_report.hpp>
#include <switchyard/gateway/traffic.hpp>
#include <switchyard/runtime/timer.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0::gateway {

/// The name of the console, as a dbname.
inline constexpr std::string_view kConsoleDatabase = "switchyard";

/// What a client of the console is told at login.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> console_parameters(std::string_view user);

/// What the console needs of the gateway.
class ConsoleHost {
 public:
  [[nodiscard]] virtual Fleet& fleet() noexcept = 0;
  /// That one, and those of roles other than its own, which have the same databases.
  virtual void each_fleet(const std::function<void(Fleet&)>& apply) const = 0;
  /// May be changed by SET.
  [[nodiscard]] virtual GatewaySettings& console_settings() noexcept = 0;
  virtual void on_settings_changed() noexcept = 0;
  /// Of this shard.
  [[nodiscard]] virtual std::vector<ClientReport> client_reports() const = 0;
  /// False: there is none on this shard.
  virtual bool end_client(std::uint32_t id, std::string_view sqlstate, std::string message) noexcept = 0;
  /// Of all shards: at once where there is only one, else soon, unless the gateway ends before.
  virtual void look(ReportParts parts, std::function<void(const ShardReport&)> then) = 0;
  /// Console::obey() on the other shards.
  virtual void pass_on(const ConsoleOrder& order) = 0;
  /// Clients that keep a session for no other reason than that they may need it soon give it back.
  virtual void give_sessions_back(std::string_view database) noexcept = 0;
  /// Nothing of clients is read any more, or again; those on the console excepted.
  virtual void suspend(bool on) noexcept = 0;
  /// No further connections over TCP; over Unix-domain paths only to the console.
  virtual void stop_accepting() noexcept = 0;

 protected:
  ~ConsoleHost() = default;
};

class Console final : public ConsoleRunner {
 public:
  /// The host outlives the console.
  explicit Console(ConsoleHost& host);
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  [[nodiscard]] bool paused(std::string_view database) const noexcept {
    return all_paused_ || paused_.contains(database);
  }
  /// Is this dbname the console's?
  [[nodiscard]] bool is_console(std::string_view database) const noexcept;
  /// What a user who has logged in may do there; nothing: not even look. `own_account`: it came over a Unix-domain
  /// path from the account that runs the gateway.
  [[nodiscard]] std::optional<ConsoleAccess> access_of(std::string_view user, bool own_account) const;

  /// What has been decided on this shard or another one.
  void obey(const ConsoleOrder& order) noexcept;

  /// Does the database take new clients?
  [[nodiscard]] bool disabled(std::string_view database) const { return disabled_.contains(database); }
  /// After SHUTDOWN WAIT_FOR_...: only the console takes new clients.
  [[nodiscard]] bool shutting_down() const noexcept { return shutdown_ != Shutdown::none; }
  [[nodiscard]] bool suspended() const noexcept { return suspended_; }
  [[nodiscard]] const TrafficBook& traffic() const noexcept { return traffic_; }
  [[nodiscard]] Traffic& traffic_of(std::string_view database) { return traffic_.of(database); }

 private:
  enum class Shutdown : std::uint8_t { none, servers, clients };
  enum class Wait : std::uint8_t { paused, suspended, renewed };
  struct Waiter {
    ConsoleMachine* asker;
    Wait wait;
    std::vector<std::string> databases;
    std::string tag;
  };
  /// A command that needs a look at all shards.
  struct Question {
    ConsoleMachine* asker;  ///< null: nobody waits for the answer any more
    bool asking = true;     ///< look() has not come back
    std::optional<Result<ConsoleAnswer>> answer;
  };
  using Answerer = std::function<Result<ConsoleAnswer>(const ShardReport&)>;

  // ConsoleRunner
  std::optional<Result<ConsoleAnswer>> run(const ConsoleCommand& command, ConsoleMachine& asker) override;
  void withdraw(ConsoleMachine& asker) noexcept override;

  [[nodiscard]] std::optional<Result<ConsoleAnswer>> ask(ReportParts parts, ConsoleMachine& asker,
                                                         Answerer answerer);
  [[nodiscard]] std::optional<Result<ConsoleAnswer>> show(const ConsoleCommand& command, ConsoleMachine& asker);
  [[nodiscard]] std::optional<Result<ConsoleAnswer>> pause(const std::string& database, ConsoleMachine& asker);
  [[nodiscard]] Result<ConsoleAnswer> resume(const std::string& database);
  [[nodiscard]] Result<ConsoleAnswer> set_disabled(const std::string& database, bool disabled);
  [[nodiscard]] Result<ConsoleAnswer> reconnect(const std::string& database);
  [[nodiscard]] Result<ConsoleAnswer> kill(const std::string& database);
  [[nodiscard]] std::optional<Result<ConsoleAnswer>> kill_client(const std::string& id, ConsoleMachine& asker);
  [[nodiscard]] std::optional<Result<ConsoleAnswer>> suspend(ConsoleMachine& asker);
  [[nodiscard]] std::optional<Result<ConsoleAnswer>> shut_down(const std::string& how);
  [[nodiscard]] Result<ConsoleAnswer> reload();
  [[nodiscard]] std::optional<Result<ConsoleAnswer>> wait_close(const std::string& database, ConsoleMachine& asker);
  [[nodiscard]] Result<ConsoleAnswer> set(const std::string& key, const std::string& value);

  /// The database of that name, or all that are configured. `verb`: "pause", for the console's own name.
  [[nodiscard]] Result<std::vector<std::string>> databases(const std::string& name, std::string_view verb) const;
  [[nodiscard]] std::optional<Result<ConsoleAnswer>> wait(ConsoleMachine& asker, Wait wait,
                                                          std::vector<std::string> databases, std::string tag);
  [[nodiscard]] static bool done(Wait wait, const std::vector<std::string>& databases, const ShardReport& all);
  /// On all shards.
  void order(const ConsoleOrder& order);
  void look_soon() noexcept;
  void look() noexcept;
  void on_looked(const ShardReport& all) noexcept;
  static void on_tick(void* self) noexcept { static_cast<Console*>(self)->look(); }
  static void on_period(void* self) noexcept;

  ConsoleHost& host_;
  TrafficBook traffic_;
  std::set<std::string, std::less<>> disabled_;
  std::set<std::string, std::less<>> paused_;  ///< one by one
  bool all_paused_ = false;
  bool suspended_ = false;
  Shutdown shutdown_ = Shutdown::none;
  std::map<std::string, std::string, std::less<>> sets_;  ///< what was SET here since the last RELOAD
  bool ends_program_ = false;                             ///< the SHUTDOWN was said here
  std::vector<Waiter> waiters_;
  std::vector<std::shared_ptr<Question>> questions_;
  runtime::Timer tick_{&Console::on_tick, this};
  runtime::Timer period_{&Console::on_period, this};
};

}  // namespace switchyard::inline v0::gateway
