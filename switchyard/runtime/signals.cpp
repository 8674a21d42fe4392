#include <switchyard/runtime/signals.hpp>

#include <switchyard/runtime/asio_loop.hpp>

#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <optional>
#include <utility>

namespace switchyard::inline v0::runtime {
namespace asio = boost::asio;

class SignalWatch::Impl final : public Resource, public std::enable_shared_from_this<Impl> {
 public:
  Impl(AsioLoop& loop, std::function<void(int)> on_second) : loop_(loop), on_second_(std::move(on_second)) {
    loop.adopt(*this);
    signals_.emplace(loop.executor(), SIGINT, SIGTERM);
  }
  void watch() {
    signals_->async_wait([self = shared_from_this()](const boost::system::error_code& error, int number) {
      if (error || !self->signals_) return;
      const Loop::Scope scope(self->loop_);
      self->watch();
      if (self->number_ != 0) {
        if (self->on_second_) self->on_second_(number);
        return;
      }
      self->number_ = number;
      self->first_.set();
    });
  }
  void loop_ends() noexcept override { close(); }
  void close() noexcept {
    unlink();
    signals_.reset();
  }

  AsioLoop& loop_;
  std::function<void(int)> on_second_;
  std::optional<asio::signal_set> signals_;
  AsyncEvent first_;
  int number_ = 0;
};

SignalWatch::SignalWatch(Shard& shard, std::function<void(int)> on_second)
    : impl_(std::make_shared<Impl>(static_cast<AsioLoop&>(shard.loop()), std::move(on_second))) {
  impl_->watch();
}
SignalWatch::~SignalWatch() { impl_->close(); }
AsyncEvent& SignalWatch::first() noexcept { return impl_->first_; }
int SignalWatch::signal() const noexcept { return impl_->number_; }

}  // namespace switchyard::inline v0::runtime
