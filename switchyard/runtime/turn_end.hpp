// Work that is gathered over a turn and done once at its end, such as writing what many callers appended.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/runtime/link.hpp>

namespace switchyard::inline v0::runtime {

/// Runs `fn(context)` once at the end of the turn in which schedule() was called, however often it was called.
/// Destroying it takes it back.
class TurnEnd : private Link {
 public:
  using Function = void (*)(void* context) noexcept;
  TurnEnd(Function fn, void* context) noexcept : fn_(fn), context_(context) {}
  SWITCHYARD_API void schedule() noexcept;
  [[nodiscard]] bool scheduled() const noexcept { return linked(); }
  void cancel() noexcept { unlink(); }

 private:
  friend class Loop;
  Function fn_;
  void* context_;
};

}  // namespace switchyard::inline v0::runtime
