// A shard's loop on a thread of its own: it blocks in its epoll set, and other threads wake it through an eventfd.
#pragma once

#include <switchyard/runtime/shard_loop.hpp>

#include <atomic>
#include <functional>
#include <mutex>
#include <vector>

namespace switchyard::inline v0::runtime {

class NativeLoop final : public ShardLoop {
 public:
  explicit NativeLoop(Shard* shard);
  ~NativeLoop();

  void post(std::function<void()> fn) override;
  void run() override;
  void run_until(const bool& done) override;
  void stop() noexcept override;
  void close() noexcept override;

 private:
  /// Tells that something was posted, or that the loop is to stop.
  class Doorbell final : public Watch {
   public:
    explicit Doorbell(NativeLoop& loop);
    ~Doorbell();
    Doorbell(const Doorbell&) = delete;
    Doorbell& operator=(const Doorbell&) = delete;
    void ring() noexcept;
    void on_ready(std::uint32_t events) noexcept override;

   private:
    NativeLoop& loop_;
    int fd_;
  };

  void post_turn() noexcept override {}                    // pass() runs it
  void wake_at(TimePoint /*moment*/) noexcept override {}  // step() asks the wheel
  /// Waits for whatever comes next and does it.
  void step() noexcept;
  void run_posted() noexcept;

  Doorbell doorbell_{*this};
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;   // under mutex_
  std::vector<std::function<void()>> running_;  // keeps its memory
};

}  // namespace switchyard::inline v0::runtime
