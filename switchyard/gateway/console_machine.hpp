// The console as its client sees it: the query protocols, simple and extended, without sockets and clock. What a
// command does is the runner's affair.
//
// Transactions are pretended: drivers that open one for every statement work, and nothing can be rolled back.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/gateway/console_command.hpp>
#include <switchyard/gateway/console_table.hpp>
#include <switchyard/protocol/frame.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::gateway {

class ConsoleMachine;

/// What a client of the console may do.
enum class ConsoleAccess : std::uint8_t { look, everything };

/// Runs what a console asks for.
class ConsoleRunner {
 public:
  /// The answer, or nothing: then ConsoleMachine::finish() follows, unless withdraw() comes first.
  [[nodiscard]] virtual std::optional<Result<ConsoleAnswer>> run(const ConsoleCommand& command,
                                                                 ConsoleMachine& asker) = 0;
  /// Nobody waits for the answer any more.
  virtual void withdraw(ConsoleMachine& asker) noexcept = 0;

 protected:
  ~ConsoleRunner() = default;
};

//  ready ──command──► (answered: ready) │ waiting ──finish()──► ready
//    └──error in an extended query──► skipping ──Sync──► ready
//  anything malformed, Terminate: closed
class SWITCHYARD_API ConsoleMachine {
 public:
  /// Statements and portals with a name that one console may have, each.
  static constexpr std::size_t kMaxNamed = 64;
  /// Larger messages end the connection.
  static constexpr std::uint32_t kMaxMessage = 16 << 10;

  /// Hears when there is something to be sent without a call of on_bytes().
  class Listener {
   public:
    /// The answer that was waited for has been appended. The bytes that came meanwhile are to be shown again.
    virtual void on_console_answered() noexcept = 0;

   protected:
    ~Listener() = default;
  };

  /// All outlive the machine.
  ConsoleMachine(ConsoleRunner& runner, base::WriteBuffer& out, Listener& listener, ConsoleAccess access) noexcept
      : runner_(runner), out_(out), listener_(listener), access_(access) {}
  ~ConsoleMachine();
  ConsoleMachine(const ConsoleMachine&) = delete;
  ConsoleMachine& operator=(const ConsoleMachine&) = delete;

  /// What is answered waits in `out`; with more than this of it nothing further is.
  static constexpr std::size_t kMaxUnsent = 256 << 10;
  /// Consumes what it understands, up to a command that is not answered at once, or kMaxUnsent: show the rest again
  /// after finish(), or when it has been sent.
  void on_bytes(base::ReadBuffer& in) noexcept;
  /// The answer to what run() has not answered.
  void finish(Result<ConsoleAnswer> answer) noexcept;
  /// The client wants what it waits for to end.
  void cancel() noexcept;

  [[nodiscard]] bool waiting() const noexcept { return state_ == State::waiting; }
  /// What is to be sent has been appended; then the connection ends.
  [[nodiscard]] bool closed() const noexcept { return state_ == State::closed; }
  [[nodiscard]] std::size_t prepared_statements() const noexcept { return statements_.size(); }

 private:
  enum class State : std::uint8_t { ready, waiting, skipping, closed };
  struct Portal {
    ConsoleCommand command;
    std::vector<std::int16_t> formats;
    std::optional<ConsoleAnswer> answer;  ///< once it has been executed
    std::size_t shown = 0;                ///< of its rows
  };

  void on_message(const protocol::Frame& frame);
  [[nodiscard]] Result<void> on_query(ByteView body);
  [[nodiscard]] Result<void> on_parse(ByteView body);
  [[nodiscard]] Result<void> on_bind(ByteView body);
  [[nodiscard]] Result<void> on_describe(ByteView body);
  [[nodiscard]] Result<void> on_execute(ByteView body);
  [[nodiscard]] Result<void> on_close(ByteView body);
  void on_sync();
  [[nodiscard]] Result<Portal*> find_portal(std::string_view name);
  [[nodiscard]] Result<const ConsoleCommand*> find_statement(std::string_view name) const;
  [[nodiscard]] Result<void> check_transaction(const ConsoleCommand& command) const;
  /// Null: the answer comes later.
  [[nodiscard]] std::optional<Result<ConsoleAnswer>> run(const ConsoleCommand& command);
  void settle(Result<ConsoleAnswer> answer);
  void answer_query(const Result<ConsoleAnswer>& answer);
  void answer_portal(Portal& portal);
  void describe(const ConsoleCommand& command, std::span<const std::int16_t> formats);
  void say_notice(const ConsoleAnswer& answer);
  void fail(const Error& error);
  void end(std::string_view message);
  void ready();

  ConsoleRunner& runner_;
  base::WriteBuffer& out_;
  Listener& listener_;
  const ConsoleAccess access_;
  State state_ = State::ready;
  char status_ = 'I';
  std::map<std::string, ConsoleCommand, std::less<>> statements_;
  std::map<std::string, Portal, std::less<>> portals_;
  // Of the command that is waited for.
  ConsoleCommand pending_;
  bool pending_is_query_ = false;
  std::string pending_portal_;
  std::int32_t pending_rows_ = 0;
};

}  // namespace switchyard::inline v0::gateway
