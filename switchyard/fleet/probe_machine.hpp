// When to look at a place: the rules of one probe, without socket or clock. About once a second, never two at a
// time, more often while it matters, at once when something happened.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/random.hpp>
#include <switchyard/base/time.hpp>

#include <cstdint>

namespace switchyard::inline v0::fleet {

struct ProbeSettings {
  Duration interval = std::chrono::seconds(1);
  /// A look that takes longer makes its place late: reads avoid it.
  Duration soft_limit = std::chrono::milliseconds(100);
  /// A look, or connecting for it, that takes longer has failed.
  Duration time_limit = std::chrono::seconds(1);
};

/// Between two looks while the primary is not known.
inline constexpr Duration kUrgentProbe = std::chrono::milliseconds(150);
/// Between two looks while somebody waits for what they may show.
inline constexpr Duration kEagerProbe = std::chrono::milliseconds(3);
/// Between two looks that errors ask for: a storm of them is one look.
inline constexpr Duration kPokedProbe = std::chrono::milliseconds(20);
/// Every pause is drawn from its length give or take this share, so that processes do not look in step.
inline constexpr double kProbeJitter = 0.2;

//            connect()                     ask()
//   away ───────────────► connecting ─┬─► ready ◄──────► asking
//    ▲                                │             answered()
//    └────────── failed() ◄───────────┴──────────────────┘
class SWITCHYARD_API ProbeMachine {
 public:
  enum class State : std::uint8_t { away, connecting, ready, asking };
  /// What the driver does next.
  enum class Step : std::uint8_t { rest, connect, ask };

  ProbeMachine(ProbeSettings settings, std::uint64_t seed) noexcept : settings_(settings), random_(seed) {}

  /// `connect` and `ask` are begun by saying so; `rest` means until wake(), or a call of anything below.
  [[nodiscard]] Step step(TimePoint now) noexcept;
  [[nodiscard]] TimePoint wake() const noexcept { return due_; }
  [[nodiscard]] State state() const noexcept { return state_; }

  /// The session is open: it is asked at once.
  void connected(TimePoint now) noexcept;
  void answered(TimePoint now) noexcept;
  /// Not connected, no answer in time, or the session was lost: it is gone.
  void failed(TimePoint now) noexcept;

  /// Something happened that may have changed what a look would show.
  void poke(TimePoint now) noexcept;
  /// Somebody waits for this place until then.
  void hurry(TimePoint now, TimePoint until) noexcept;
  /// The primary is not known.
  void set_urgent(TimePoint now, bool urgent) noexcept;

 private:
  [[nodiscard]] Duration pause(TimePoint now) noexcept;
  void rest(TimePoint now) noexcept;

  ProbeSettings settings_;
  Random random_;
  State state_ = State::away;
  bool urgent_ = false;
  bool poked_ = false;  ///< while a look was on its way, which may have been too early
  TimePoint eager_until_ = TimePoint::min();
  TimePoint begun_ = TimePoint::min();  ///< the last look
  TimePoint due_ = TimePoint::min();
};

}  // namespace switchyard::inline v0::fleet
