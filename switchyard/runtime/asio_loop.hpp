// A shard's loop on an executor of the user's. Included by the one file of this room that needs Asio.
#pragma once

#include <switchyard/runtime/shard_loop.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <optional>

namespace switchyard::inline v0::runtime {

/// One timer, one posted handler and one wait for the epoll set drive the loop, all on the executor: one thread, or
/// a strand. Handlers keep the object alive; after close() they do nothing. While a socket is open, or a timer
/// armed, the executor's context has work.
class AsioLoop final : public ShardLoop {
 public:
  explicit AsioLoop(boost::asio::any_io_executor executor);

  void post(std::function<void()> fn) override;
  void run() override { refuse(); }
  void run_until(const bool& /*done*/) override { refuse(); }
  void stop() noexcept override {}
  void close() noexcept override;

 private:
  void post_turn() noexcept override;
  void wake_at(TimePoint moment) noexcept override;
  void watched() noexcept override;
  [[noreturn]] static void refuse();
  [[nodiscard]] std::shared_ptr<AsioLoop> self();

  boost::asio::any_io_executor executor_;
  std::optional<boost::asio::steady_timer> wake_timer_;
  std::optional<boost::asio::posix::stream_descriptor> set_;  // of the poller, which keeps it
  bool waiting_ = false;
  bool passing_ = false;  // pass() runs the turns that are asked for
};

}  // namespace switchyard::inline v0::runtime
