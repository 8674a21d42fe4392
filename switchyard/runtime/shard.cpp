#include <switchyard/runtime/shard.hpp>

#include <switchyard/runtime/asio_bridge.hpp>
#include <switchyard/runtime/asio_loop.hpp>

#include <boost/asio/post.hpp>

#include <exception>
#include <optional>
#include <utility>

namespace switchyard::inline v0::runtime {
namespace asio = boost::asio;

AsioLoop::AsioLoop(Shard* shard) : Loop(Clock::now(), shard) {
  context_.emplace(1);  // one thread runs it: no wake-ups between threads
  work_.emplace(context_->get_executor());
  executor_ = context_->get_executor();
  wake_timer_.emplace(executor_);
}

AsioLoop::AsioLoop(Shard* shard, asio::any_io_executor executor)
    : Loop(Clock::now(), shard), executor_(std::move(executor)) {
  wake_timer_.emplace(executor_);
}

AsioLoop& AsioLoop::current() noexcept {
  Loop& loop = Loop::current();
  SY_ASSERT(loop.shard() != nullptr);  // sockets need a shard; a ManualLoop has none
  return static_cast<AsioLoop&>(loop);
}

void AsioLoop::post_turn() noexcept {
  asio::post(executor_, [self = shared_from_this()] {
    if (self->closed_) return;
    const Scope scope(*self);
    self->run_turn();
  });
}

void AsioLoop::wake_at(TimePoint moment) noexcept {
  wake_timer_->expires_at(moment);  // cancels the wish before
  wake_timer_->async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || self->closed_) return;
    const Scope scope(*self);
    self->on_wake();
  });
}

void AsioLoop::post(std::function<void()> fn) {
  asio::post(executor_, [self = shared_from_this(), fn = std::move(fn)] {
    if (self->closed_) return;
    const Scope scope(*self);
    fn();
  });
}

void AsioLoop::refuse_nested_run() const {
  if (!context_)
    throw Error(ErrorKind::Usage, "this shard runs on an executor of the application, which drives it");
  if (Loop* running = current_or_null(); running != nullptr && (running != this || in_turn())) {
    throw Error(ErrorKind::Usage, "a blocking call was made from inside a running loop")
        .with_hint("co_await the operation instead");
  }
}

void AsioLoop::run() {
  refuse_nested_run();
  const NoScope none;
  context_->run();
  context_->restart();
}

void AsioLoop::run_until(const bool& done) {
  refuse_nested_run();
  const NoScope none;
  while (!done && context_->run_one() != 0) {
  }
  if (done) return;
  context_->restart();
  throw Error(ErrorKind::Closed, "the shard was stopped before the task was done");
}

void AsioLoop::stop() noexcept {
  if (context_) context_->stop();
}

void AsioLoop::close() noexcept {
  end();
  closed_ = true;
  wake_timer_.reset();
  work_.reset();
  if (context_) {
    // Handlers hold this object, which holds the context: they have to go first.
    context_->restart();
    context_->poll();
  }
}

Shard::Shard(int index) : loop_(std::make_shared<AsioLoop>(this)), index_(index) {}

Shard::Shard(std::shared_ptr<AsioLoop> loop, int index) : loop_(std::move(loop)), index_(index) {
  loop_->set_shard(this);
}

Shard::~Shard() { loop_->close(); }

Shard* Shard::current_or_null() noexcept {
  Loop* loop = Loop::current_or_null();
  return loop == nullptr ? nullptr : loop->shard();
}

Shard& Shard::current() {
  Shard* shard = current_or_null();
  if (shard == nullptr) throw Error(ErrorKind::Usage, "this thread runs no shard");
  return *shard;
}

TimePoint Shard::now() const noexcept { return loop_->now(); }
Loop& Shard::loop() const noexcept { return *loop_; }
void Shard::post(std::function<void()> fn) { loop_->post(std::move(fn)); }
void Shard::run() { loop_->run(); }
void Shard::stop() noexcept { loop_->stop(); }

namespace {

/// The coroutine at the bottom: it starts from the ready list and tells when it is done.
class Root {
 public:
  struct promise_type {
    bool done = false;
    std::exception_ptr error;
    Root get_return_object() noexcept { return Root(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    struct Final {
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<promise_type> self) const noexcept { self.promise().done = true; }
      void await_resume() const noexcept {}
    };
    Final final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() noexcept { error = std::current_exception(); }
  };
  explicit Root(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  Root(Root&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Root& operator=(Root&&) = delete;
  ~Root() {
    if (frame_) frame_.destroy();
  }
  std::coroutine_handle<promise_type> frame() const noexcept { return frame_; }

 private:
  std::coroutine_handle<promise_type> frame_;
};

Root root_of(Task<void> task) { co_await std::move(task); }

}  // namespace

void Shard::run_root(Task<void> task) {
  const std::shared_ptr<AsioLoop> loop = loop_;
  std::optional<Root> root(root_of(std::move(task)));
  // The frame goes while the shard is current: what dies in it may have to schedule something.
  struct DropInScope {
    Loop& loop;
    std::optional<Root>& root;
    ~DropInScope() {
      const Loop::Scope scope(loop);
      root.reset();
    }
  };
  const DropInScope drop{*loop, root};
  ReadyNode start;
  {
    const Loop::Scope scope(*loop);
    start.schedule(root->frame());
  }
  loop->run_until(root->frame().promise().done);
  if (const std::exception_ptr error = root->frame().promise().error) std::rethrow_exception(error);
}

std::unique_ptr<Shard> make_shard(asio::any_io_executor executor, int index) {
  return std::make_unique<Shard>(std::make_shared<AsioLoop>(nullptr, std::move(executor)), index);
}

}  // namespace switchyard::inline v0::runtime
