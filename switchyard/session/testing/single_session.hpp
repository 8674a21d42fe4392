// One session with the verbs on it, for tests: no pool, no route.
#pragma once

#include <switchyard/config/connection_string.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/session/connect_plan.hpp>
#include <switchyard/session/querier.hpp>
#include <switchyard/session/session.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace switchyard::inline v0::session::testing {

/// A plan from a connection string; throws Error.
inline std::shared_ptr<ConnectPlan> plan_for(std::string_view connection_string) {
  auto plan = std::make_shared<ConnectPlan>();
  plan->options = parse_connection_string(connection_string).value_or_throw();
  return plan;
}

class SingleSession final : private OperationHost, private Session::Owner, public Querier {
 public:
  explicit SingleSession(std::unique_ptr<Session> session)
      : Querier(static_cast<OperationHost&>(*this)), session_(std::move(session)) {
    session_->set_owner(this);
  }

  static Task<std::unique_ptr<SingleSession>> open(std::shared_ptr<const ConnectPlan> plan,
                                                   Duration timeout = std::chrono::seconds(10)) {
    auto session = co_await Session::open(std::move(plan), deadline_after(runtime::now(), timeout));
    co_return std::make_unique<SingleSession>(std::move(session).value_or_throw());
  }

  [[nodiscard]] Session& session() noexcept { return *session_; }
  /// Told how the session ended, if it has.
  [[nodiscard]] const std::optional<Error>& closed() const noexcept { return closed_; }
  /// The operations are statements of a transaction.
  bool in_transaction = false;
  bool read_only = false;

  /// Waits until nothing runs on the session any more.
  Task<void> quiet() {
    while (!session_->idle() && !closed_) {
      idle_.reset();
      co_await idle_.wait();
    }
  }

 private:
  void start(OperationState& operation) noexcept override {
    operation.in_transaction = in_transaction;
    operation.read_only = read_only;
    if (closed_) return operation.fail(*closed_);
    if (operation.timeout) {
      operation.deadline = deadline_after(runtime::now(), *operation.timeout);
      operation.deadline_source = "the statement's timeout";
    }
    operation.arm_deadline();
    session_->run(operation);
  }
  void abandon(OperationState& operation) noexcept override { session_->abandon(operation); }
  void expire(OperationState& /*operation*/) noexcept override { session_->cancel(); }
  void on_idle(Session& /*session*/) noexcept override { idle_.set(); }
  void on_closed(Session& /*session*/, const Error& reason) noexcept override {
    closed_ = reason;
    idle_.set();
  }

  std::unique_ptr<Session> session_;
  std::optional<Error> closed_;
  runtime::AsyncEvent idle_;
};

}  // namespace switchyard::inline v0::session::testing
