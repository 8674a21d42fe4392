// What the coroutine that runs now is a part of, beyond its arguments: something that goes on where it goes on
// after an operation. Only checks in development use it; while nobody does, it costs a load for each resumption.
//
// It is known from the start of an operation that set it, through the resumptions by operations that were begun
// meanwhile. Who waits for something else (a timer, an event) loses it: then it is null, never another's.
#pragma once

#include <switchyard/base/export.hpp>

#include <memory>

namespace switchyard::inline v0::runtime {

class ReadyNode;

/// Of the current thread.
class SWITCHYARD_API Ambient {
 public:
  /// Somebody has set something on this thread.
  [[nodiscard]] static bool used() noexcept;
  [[nodiscard]] static std::shared_ptr<void> current() noexcept;
  static void set(std::shared_ptr<void> value) noexcept;

  /// What is current, if anything, counts again when `node` resumes its coroutine.
  static void remember(const ReadyNode& node) noexcept;
  /// The node won't resume what it was remembered for.
  static void forget(const ReadyNode& node) noexcept;
  /// The loop is about to resume it.
  static void enter(const ReadyNode& node) noexcept;
  /// The coroutine waits again: what comes now may be anybody's callback.
  static void leave() noexcept;
};

}  // namespace switchyard::inline v0::runtime
