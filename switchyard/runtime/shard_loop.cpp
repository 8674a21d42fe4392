#include <switchyard/runtime/shard_loop.hpp>

#include <switchyard/base/assert.hpp>
#include <switchyard/base/error.hpp>

namespace switchyard::inline v0::runtime {

ShardLoop& ShardLoop::current() noexcept {
  Loop& loop = Loop::current();
  SY_ASSERT(loop.shard() != nullptr);  // sockets need a shard; a ManualLoop has none
  return static_cast<ShardLoop&>(loop);
}

void ShardLoop::pass(Duration patience) noexcept {
  poller_.wait(patience);
  const Scope scope(*this);
  while (poller_.next()) {
    if (received_ < kBytesPerTurn || !turn_requested()) continue;
    received_ = 0;
    run_turn();
    open_window();
  }
  if (next_timer() <= now()) on_wake();
  received_ = 0;
  if (turn_requested()) run_turn();
}

void ShardLoop::refuse_nested_run() const {
  if (Loop* running = current_or_null(); running != nullptr && (running != this || in_turn())) {
    throw Error(ErrorKind::Usage, "a blocking call was made from inside a running loop")
        .with_hint("co_await the operation instead");
  }
}

}  // namespace switchyard::inline v0::runtime
