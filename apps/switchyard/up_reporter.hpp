// Who is told how `up` goes: the terminal it runs on, or the waiting parent of a detached one.
#pragma once

#include "console.hpp"

#include <switchyard/base/error.hpp>

#include <string>
#include <string_view>

namespace switchyard::cli {

class UpReporter {
 public:
  virtual ~UpReporter() = default;
  /// Something was done.
  virtual void step(std::string_view text) = 0;
  /// Still busy with this; called often.
  virtual void busy(std::string_view text) = 0;
  /// Everything runs: what there is to see, for standard output.
  virtual void ready(std::string_view screen) = 0;
  virtual void failed(const Error& error) = 0;
};

/// Steps as lines on standard error; on a terminal also one line that shows what is going on now.
class TerminalReporter final : public UpReporter {
 public:
  explicit TerminalReporter(const Console& console) noexcept : console_(console) {}
  ~TerminalReporter() override { clear(); }
  void step(std::string_view text) override;
  void busy(std::string_view text) override;
  void ready(std::string_view screen) override;
  void failed(const Error& error) override;

 private:
  void clear();
  const Console& console_;
  bool line_shown_ = false;
  unsigned turn_ = 0;
};

/// Writes to a pipe what follow_detached() shows at its other end. Nothing after ready() or failed().
class PipeReporter final : public UpReporter {
 public:
  explicit PipeReporter(int pipe) noexcept : pipe_(pipe) {}
  ~PipeReporter() override;
  void step(std::string_view text) override { send('S', text); }
  void busy(std::string_view text) override { send('B', text); }
  void ready(std::string_view screen) override;
  void failed(const Error& error) override;

 private:
  void send(char kind, std::string_view text);
  void end();
  int pipe_;
};

/// The parent's side: shows what the detached process says until it is ready or has failed. Ctrl-C ends both.
[[nodiscard]] ExitCode follow_detached(int pipe, int pid, const std::string& log_file, const Console& console);

}  // namespace switchyard::cli
