#include <switchyard/runtime/shard_loop.hpp>

#include <switchyard/runtime/arrival.hpp>

#include <switchyard/base/assert.hpp>
#include <switchyard/base/error.hpp>

namespace switchyard::inline v0::runtime {
namespace {

/// A loop that comes back to its descriptors, and from them, sooner than this has not waited.
constexpr Duration kBlink = std::chrono::microseconds(20);

struct Looks {
  TimePoint arrived{};  ///< earliest_arrival()
  TimePoint looked{};   ///< the descriptors were looked at last
  TimePoint left{};     ///< the last pass ended
};
thread_local Looks looks;

}  // namespace

TimePoint earliest_arrival() noexcept { return looks.arrived; }

ShardLoop& ShardLoop::current() noexcept {
  Loop& loop = Loop::current();
  SY_ASSERT(loop.shard() != nullptr);  // sockets need a shard; a ManualLoop has none
  return static_cast<ShardLoop&>(loop);
}

void ShardLoop::pass(Duration patience) noexcept {
  const TimePoint entered = Clock::now();
  poller_.wait(patience);
  const Scope scope(*this);
  const TimePoint looked = now();
  const bool waited = looked - entered >= kBlink || entered - looks.left >= kBlink;
  looks.arrived = waited ? looked : looks.looked;
  looks.looked = looked;
  while (poller_.next()) {
    if (received_ < kBytesPerTurn || !turn_requested()) continue;
    received_ = 0;
    run_turn();
    open_window();
  }
  if (next_timer() <= now()) on_wake();
  received_ = 0;
  if (turn_requested()) run_turn();
  looks.left = Clock::now();
}

void ShardLoop::refuse_nested_run() const {
  if (Loop* running = current_or_null(); running != nullptr && (running != this || in_turn())) {
    throw Error(ErrorKind::Usage, "a blocking call was made from inside a running loop")
        .with_hint("co_await the operation instead");
  }
}

}  // namespace switchyard::inline v0::runtime
