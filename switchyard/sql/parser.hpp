// The thread that analyses texts: libpg_query needs a stack that no thread of a program has by default, and a loop
// must not wait for it.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/sql/statement_facts.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace switchyard::inline v0::sql {

/// One thread, started with the first text, with a stack of kAnalysisStack (of which the system gives what is used)
/// and all signals blocked. Any thread may call.
class SWITCHYARD_API Parser {
 public:
  /// What may wait, so that texts which nobody wants any more do not pile up.
  static constexpr std::size_t kMaxWaitingTexts = 1024;
  static constexpr std::size_t kMaxWaitingBytes = 8 << 20;

  using Done = std::function<void(StatementFacts)>;

  Parser();
  /// Drops what waits, and ends when the analysis under way has (a second at most).
  ~Parser();
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  /// The one of the process; it ends with it. What is asked of it later is refused.
  [[nodiscard]] static Parser& of_process();

  /// Calls `done` on the parser's thread when the text is analysed; it must be short and not throw. False, and
  /// `done` is never called, when too much waits already or the parser has ended.
  [[nodiscard]] bool analyse(std::string text, Done done);

  /// Waits for the answer, before everything that analyse() was asked for. For command lines and tests.
  [[nodiscard]] StatementFacts analyse_now(std::string_view text);

  /// As the destructor; twice does no harm.
  void stop() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace switchyard::inline v0::sql
