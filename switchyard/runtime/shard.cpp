#include <switchyard/runtime/shard.hpp>

#include <switchyard/runtime/native_loop.hpp>

#include <exception>
#include <optional>
#include <utility>

namespace switchyard::inline v0::runtime {
Shard::Shard(int index) : loop_(std::make_shared<NativeLoop>(this)), index_(index) {}

Shard::Shard(std::shared_ptr<ShardLoop> loop, int index) : loop_(std::move(loop)), index_(index) {
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
  const std::shared_ptr<ShardLoop> loop = loop_;
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

}  // namespace switchyard::inline v0::runtime
