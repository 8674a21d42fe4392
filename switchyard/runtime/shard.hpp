// A shard: one loop on one thread, with everything that belongs to it. Nothing on a shard is locked, and nothing of
// it may be touched from another thread, except by post() and stop().
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task.hpp>

#include <functional>
#include <memory>
#include <optional>

namespace switchyard::inline v0::runtime {

class ShardLoop;

class SWITCHYARD_API Shard {
 public:
  /// A shard with a loop of its own, run by whoever calls run() or run_until_complete().
  explicit Shard(int index = 0);
  /// Made by asio_bridge.hpp for a loop of the user.
  explicit Shard(std::shared_ptr<ShardLoop> loop, int index);
  /// Destroys the spawned tasks, closes the sockets and forgets everything posted. Not from within its own turn.
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  /// The shard that runs on this thread now, or null.
  [[nodiscard]] static Shard* current_or_null() noexcept;
  /// The same; throws an Error of kind Usage when there is none.
  [[nodiscard]] static Shard& current();

  [[nodiscard]] int index() const noexcept { return index_; }
  /// The time of this turn.
  [[nodiscard]] TimePoint now() const noexcept;
  [[nodiscard]] Loop& loop() const noexcept;

  /// Runs `fn` on the shard soon. Any thread; the caller makes sure that the shard lives. `fn` must not throw.
  void post(std::function<void()> fn);

  /// Runs the loop on this thread until stop(). Throws an Error of kind Usage when this thread already runs a loop,
  /// or when the loop belongs to the user.
  void run();
  /// Makes run() return. Any thread.
  void stop() noexcept;

  /// Runs the loop on this thread until the task is done, and gives its value or throws what it threw. Other work
  /// of the shard goes on meanwhile and stays where it is afterwards. Errors as run().
  template <class T>
  T run_until_complete(Task<T> task) {
    if constexpr (std::is_void_v<T>) {
      run_root(std::move(task));
    } else {
      std::optional<T> value;
      run_root(store(std::move(task), value));
      return std::move(*value);
    }
  }

  /// Makes the shard current on this thread without running it, to build what will run on it.
  class SWITCHYARD_API Scope {
   public:
    explicit Scope(Shard& shard) noexcept : scope_(shard.loop()) {}

   private:
    Loop::Scope scope_;
  };

 private:
  void run_root(Task<void> task);
  template <class T>
  static Task<void> store(Task<T> task, std::optional<T>& value) {
    value.emplace(co_await std::move(task));
  }

  std::shared_ptr<ShardLoop> loop_;
  int index_;
};

}  // namespace switchyard::inline v0::runtime
