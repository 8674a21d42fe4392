// What `move` and `split` print.
#pragma once

#include "console.hpp"
#include "options.hpp"

#include <switchyard/move/mover.hpp>

#include <string>
#include <vector>

namespace switchyard::cli {

/// Lines that replace each other on a terminal, and single ones elsewhere: step, rows, rate, remaining time, lag.
class MoveProgress {
 public:
  explicit MoveProgress(const Console& console) : console_(console) {}
  MoveProgress(const MoveProgress&) = delete;
  MoveProgress& operator=(const MoveProgress&) = delete;
  ~MoveProgress() { end(); }

  void show(const move::Progress& progress);
  /// The line is complete.
  void end();

 private:
  const Console& console_;
  std::string step_, what_;
  std::uint64_t first_ = 0;
  std::chrono::steady_clock::time_point begun_{}, shown_{};
  bool open_ = false;
};

[[nodiscard]] std::string show_move(const move::MoveReport& report, const GlobalOptions& global,
                                    const Console& console);
[[nodiscard]] std::string show_moves(const std::vector<move::MoveReport>& reports, const GlobalOptions& global,
                                     const Console& console);

}  // namespace switchyard::cli
