// Resuming a coroutine: never from inside a machine or a callback, always from the shard's ready list.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/runtime/link.hpp>

#include <coroutine>

namespace switchyard::inline v0::runtime {

/// A coroutine's place in the ready list of the current shard. Lives in the awaiter, hence in the frame of the
/// coroutine it resumes; destroyed while it waits, it takes itself out.
class ReadyNode : private Link {
 public:
  ReadyNode() noexcept = default;
  /// Puts `who` at the end of the ready list: it is resumed once, in this turn or the next ones. A node that is
  /// already scheduled keeps its place.
  SWITCHYARD_API void schedule(std::coroutine_handle<> who) noexcept;
  [[nodiscard]] bool scheduled() const noexcept { return linked(); }
  void cancel() noexcept { unlink(); }

 private:
  friend class Loop;
  std::coroutine_handle<> who_;
};

}  // namespace switchyard::inline v0::runtime
