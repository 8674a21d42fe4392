// Where a write of a spooling database goes: the writer's side of the spool, for one process. No clock, no socket.
//
//   direct ──── the database is down ───► opening ──── opened ────► spooling
//     ▲  ▲                                   │                       │    ▲
//     │  └──────────── failed ───────────────┘                       │    │
//     └─────────────── the gate was found closed ◄───────────────────┘    │
//     └─────────────── a look found it open (another process) ────────────┘
//
// The gate itself is a row in the fallback database; this is what a process knows of it. Two rules make the order
// of writes hold across processes, as long as they reach the fallback:
//   - a write goes direct only on knowledge younger than `freshness` (choose() asks for a look first);
//   - what the spool keeps is acknowledged only `grace` after it was opened, when nobody can believe it closed.
// Closing needs no such wait: a writer who believes the gate open asks it with each write.
// A process that can't reach the fallback goes on writing direct: losing the fallback must not cost the database.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/fleet/spool_times.hpp>

#include <cstdint>

namespace switchyard::inline v0::fleet {

/// What is in the spool.
struct SpoolUsage {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  /// Since the oldest entry was kept; zero without entries.
  Duration age{};
};

/// Settings of the database; zero = no limit.
struct SpoolLimits {
  std::uint64_t max_bytes = 0;
  std::uint64_t max_entries = 0;
  Duration max_age{};
};

/// What a look at the fallback tells.
struct GateSight {
  bool open = false;
  bool maintenance = false;
  SpoolUsage usage;
};

class SpoolGate {
 public:
  enum class State : std::uint8_t { direct, opening, spooling };
  enum class Way : std::uint8_t {
    direct,      ///< to the database
    look_first,  ///< look at the gate, then ask again
    open_first,  ///< open the gate, then ask again
    wait,        ///< somebody of this process looks or opens: ask again when that has ended
    spool,       ///< to the fallback
  };
  struct Choice {
    Way way = Way::direct;
    /// Look as well, beside the write.
    bool look = false;
  };
  enum class Limit : std::uint8_t { none, bytes, entries, age };

  SpoolGate(SpoolTimes times, SpoolLimits limits) noexcept : times_(times), limits_(limits) {}

  [[nodiscard]] Choice choose(TimePoint now) const noexcept;

  // -- events; those that answer true have changed the state --
  /// The database can't be reached; what was not sent may go another way. The next choose() opens the gate.
  void down() noexcept;
  void look_started() noexcept { looking_ = true; }
  /// `sent` is when the look set out: what happened later it may have missed.
  bool looked(const GateSight& sight, TimePoint sent) noexcept;
  void look_failed(TimePoint now) noexcept;
  void opening() noexcept { state_ = State::opening; }
  bool opened(TimePoint now) noexcept;
  /// The writes that wait for it fail.
  void open_failed() noexcept;
  /// A write found the gate closed at `now`: it was not kept, and goes direct.
  bool found_closed(TimePoint now) noexcept;
  /// A write of `bytes` was kept.
  void kept(std::uint64_t bytes) noexcept;

  /// The limit that a further entry of `bytes` would break.
  [[nodiscard]] Limit broken_by(std::uint64_t bytes, TimePoint now) const noexcept;

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] bool looking() const noexcept { return looking_; }
  [[nodiscard]] bool maintenance() const noexcept { return maintenance_; }
  [[nodiscard]] const SpoolLimits& limits() const noexcept { return limits_; }
  /// As of the last look, and what this process has added since.
  [[nodiscard]] const SpoolUsage& usage() const noexcept { return usage_; }

 private:
  bool become(State state) noexcept;

  SpoolTimes times_;
  SpoolLimits limits_;
  State state_ = State::direct;
  bool down_ = false;  ///< and nothing has been heard of it since
  bool maintenance_ = false;
  bool looking_ = false;
  bool knows_ = false;
  TimePoint known_at_{};    ///< the age of the knowledge, if there is any
  TimePoint look_again_{};  ///< not before, after a failed look
  SpoolUsage usage_;
};

}  // namespace switchyard::inline v0::fleet
