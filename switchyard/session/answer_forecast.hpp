// How large the next answer to a prepared statement will be, judged by the last ones. The session passes it to its
// stream, which then sleeps until all of it is there instead of waking up for each piece the server sends.
//
// A wrong guess must be cheap: the wait is bounded by patience(), about twice as long as the statement took the
// last time, and a statement that was guessed wrong is left alone for its next runs, longer each time.
#pragma once

#include <switchyard/base/time.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace switchyard::inline v0::session {

class AnswerForecast {
 public:
  /// A server sends its output buffer of 8 kB whenever it is full: smaller answers come in one piece anyway.
  static constexpr std::size_t kSmallestAnswer = 12 << 10;
  /// Runs that a statement is not guessed for after its first wrong guess; doubled with each.
  static constexpr std::uint32_t kFirstPenalty = 64;
  static constexpr std::uint32_t kLongestPenalty = 1 << 16;
  static constexpr Duration kShortestPatience = std::chrono::milliseconds(4);
  static constexpr Duration kLongestPatience = std::chrono::milliseconds(20);

  /// Bytes that the next answer has at least, as far as can be told; 0: better not guess.
  [[nodiscard]] std::size_t bytes() const noexcept {
    const std::size_t smaller = std::min(last_, before_);
    if (sits_out_ != 0 || smaller < kSmallestAnswer) return 0;
    return last_ == before_ ? last_ : smaller / 8 * 7;
  }
  /// How long to wait for them.
  [[nodiscard]] Duration patience() const noexcept {
    return std::clamp(2 * took_, kShortestPatience, kLongestPatience);
  }
  /// A whole answer of `bytes` came within `took`; `guess` was said to be its least.
  void note(std::size_t bytes, Duration took, std::size_t guess) noexcept {
    before_ = last_;
    last_ = bytes;
    took_ = took;
    if (guess > bytes) {
      sits_out_ = penalty_;
      penalty_ = std::min(penalty_ * 2, kLongestPenalty);
    } else if (sits_out_ != 0) {
      --sits_out_;
    }
  }

 private:
  std::size_t last_ = 0;
  std::size_t before_ = 0;
  Duration took_{};
  std::uint32_t sits_out_ = 0;
  std::uint32_t penalty_ = kFirstPenalty;
};

}  // namespace switchyard::inline v0::session
