#include <switchyard/runtime/asio_loop.hpp>

#include <switchyard/runtime/asio_bridge.hpp>
#include <switchyard/runtime/shard.hpp>

#include <boost/asio/post.hpp>

#include <utility>

namespace switchyard::inline v0::runtime {
namespace asio = boost::asio;

AsioLoop::AsioLoop(asio::any_io_executor executor) : ShardLoop(nullptr), executor_(std::move(executor)) {
  wake_timer_.emplace(executor_);
  set_.emplace(executor_, poller_.native_handle());
}

std::shared_ptr<AsioLoop> AsioLoop::self() { return std::static_pointer_cast<AsioLoop>(shared_from_this()); }

void AsioLoop::post_turn() noexcept {
  if (passing_) return;
  asio::post(executor_, [self = self()] {
    if (self->closed_) return;
    const Scope scope(*self);
    self->run_turn();
  });
}

void AsioLoop::wake_at(TimePoint moment) noexcept {
  wake_timer_->expires_at(moment);  // cancels the wish before
  wake_timer_->async_wait([self = self()](const boost::system::error_code& error) {
    if (error || self->closed_) return;
    const Scope scope(*self);
    self->on_wake();
  });
}

void AsioLoop::watched() noexcept {
  if (closed_) return;
  if (poller_.size() == 0) {
    if (waiting_) set_->cancel();  // nothing of ours is left that the context should run for
    return;
  }
  if (waiting_) return;
  waiting_ = true;
  set_->async_wait(asio::posix::stream_descriptor::wait_read,
                   [self = self()](const boost::system::error_code& error) {
                     self->waiting_ = false;
                     if (self->closed_) return;
                     if (!error) {
                       self->passing_ = true;
                       self->pass(Duration::zero());
                       self->passing_ = false;
                       if (self->closed_) return;
                       if (self->turn_requested()) self->post_turn();
                     }
                     self->watched();
                   });
}

void AsioLoop::post(std::function<void()> fn) {
  asio::post(executor_, [self = self(), fn = std::move(fn)] {
    if (self->closed_) return;
    const Scope scope(*self);
    fn();
  });
}

void AsioLoop::refuse() {
  throw Error(ErrorKind::Usage, "this shard runs on an executor of the application, which drives it");
}

void AsioLoop::close() noexcept {
  end();
  closed_ = true;
  wake_timer_.reset();
  if (set_) set_->release();  // the handler of a wait comes back with an error
  set_.reset();
}

std::unique_ptr<Shard> make_shard(asio::any_io_executor executor, int index) {
  return std::make_unique<Shard>(std::make_shared<AsioLoop>(std::move(executor)), index);
}

}  // namespace switchyard::inline v0::runtime
