#include <switchyard/fleet/prober.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/session/operation.hpp>

#include <optional>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

struct Reply {
  std::optional<ProbeAnswer> answer;
  std::string text;  ///< the first field
};

/// The first row of a look, or of a history file.
class ReplyState final : public session::ResultState<Reply> {
 public:
  Reply take() override { return std::move(reply_); }
  void on_describe(const std::shared_ptr<const protocol::RowDescription>& /*description*/) noexcept override {}
  void on_row(protocol::RowView row) noexcept override {
    reply_.answer = decode_probe_answer(row);
    const protocol::FieldView first = row[0];
    if (!first.is_null()) reply_.text.assign(first.data, static_cast<std::size_t>(first.size));
  }

 private:
  void recycle() noexcept override { delete this; }
  void clear_result() noexcept override { reply_ = {}; }
  Reply reply_;
};

/// Asks a session that nobody else uses. The session ends with a question that is not answered in time.
class Questioner final : public session::OperationHost {
 public:
  Questioner(session::Session& session, TimePoint deadline) noexcept : session_(session), deadline_(deadline) {}
  Operation<Reply> ask(std::string sql) {
    session::OperationPtr<session::ResultState<Reply>> state(new ReplyState);
    state->host = this;
    state->script = true;
    state->keeps_session_clean = true;
    state->read_only = true;
    state->parts.front().sql = std::move(sql);
    return Operation<Reply>(std::move(state));
  }

 private:
  void start(session::OperationState& operation) noexcept override {
    if (session_.closed() || !session_.idle()) {
      operation.fail(Error(ErrorKind::Unavailable, "the session of the probe was lost").with_session_lost());
      return;
    }
    operation.deadline = deadline_;
    operation.arm_deadline();
    session_.run(operation);
  }
  void abandon(session::OperationState& /*operation*/) noexcept override { session_.close(); }
  void expire(session::OperationState& /*operation*/) noexcept override {
    session_.abort(Error(ErrorKind::Unavailable, "no answer to a probe in time"));
  }
  session::Session& session_;
  TimePoint deadline_;
};

}  // namespace

std::shared_ptr<const session::ConnectPlan> make_probe_plan(const ConnectionOptions& options,
                                                            const ProbeSettings& settings) {
  auto plan = std::make_shared<session::ConnectPlan>();
  plan->options = options;
  plan->options.target_session_attrs = TargetSessionAttrs::any;
  plan->options.load_balance_hosts = LoadBalanceHosts::disable;
  if (!plan->options.application_name.empty()) plan->options.application_name += "-probe";
  plan->settings.statement_cache_size = 0;
  const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(settings.time_limit);
  plan->parameters.emplace_back("statement_timeout", std::to_string(limit.count()));
  return plan;
}

Prober::Prober(std::size_t place, std::shared_ptr<const session::ConnectPlan> plan, ProbeSettings settings,
               std::uint64_t seed, Listener& listener)
    : place_(place), plan_(std::move(plan)), settings_(settings), listener_(listener), machine_(settings, seed) {}

Prober::~Prober() { task_.reset(); }

void Prober::start() { task_.start(run()); }

void Prober::poke() noexcept {
  machine_.poke(runtime::now());
  wake_.notify();
}

void Prober::hurry(TimePoint until) noexcept {
  machine_.hurry(runtime::now(), until);
  wake_.notify();
}

void Prober::set_urgent(bool urgent) noexcept {
  machine_.set_urgent(runtime::now(), urgent);
  wake_.notify();
}

void Prober::on_wake(void* self) noexcept { static_cast<Prober*>(self)->wake_.notify(); }

void Prober::on_soft_limit(void* self) noexcept {
  auto& prober = *static_cast<Prober*>(self);
  prober.listener_.on_late(prober.place_);
}

Task<void> Prober::run() {
  for (;;) {
    switch (machine_.step(runtime::now())) {
      case ProbeMachine::Step::rest:
        wake_timer_.arm(machine_.wake());
        co_await wake_.wait();
        break;
      case ProbeMachine::Step::connect: co_await connect(); break;
      case ProbeMachine::Step::ask: co_await ask(); break;
    }
  }
}

void Prober::fail(const Error& error) noexcept {
  if (session_) session_->close();
  session_.reset();
  const TimePoint now = runtime::now();
  machine_.failed(now);
  listener_.on_failure(place_, error, now);
}

Task<void> Prober::connect() {
  auto opened = co_await session::Session::open(plan_, deadline_after(runtime::now(), settings_.time_limit));
  if (!opened.ok()) {
    fail(opened.error());
    co_return;
  }
  session_ = std::move(*opened);
  machine_.connected(runtime::now());
}

Task<void> Prober::ask() {
  const TimePoint asked = runtime::now();
  soft_timer_.arm(deadline_after(asked, settings_.soft_limit));
  Questioner questioner(*session_, deadline_after(asked, settings_.time_limit));
  const Result<Reply> reply = co_await questioner.ask(std::string(probe_sql())).result();
  soft_timer_.disarm();
  const TimePoint now = runtime::now();
  if (!reply.ok()) {
    fail(reply.error());
    co_return;
  }
  if (!reply->answer) {
    fail(Error(ErrorKind::Protocol, "the answer to a probe is not what PostgreSQL 13 or later gives"));
    co_return;
  }
  const ProbeAnswer answer = *reply->answer;
  machine_.answered(now);
  listener_.on_answer(place_, answer, asked, now);
  constexpr std::uint32_t kFirstTimeline = 1;
  if (!answer.in_recovery && answer.timeline > kFirstTimeline && answer.timeline != history_of_) {
    history_of_ = answer.timeline;
    co_await ask_history(answer.timeline);
  }
}

Task<void> Prober::ask_history(std::uint32_t timeline) {
  Questioner questioner(*session_, deadline_after(runtime::now(), settings_.time_limit));
  const Result<Reply> reply = co_await questioner.ask(history_sql(timeline)).result();
  // What may not be read is inferred from what was seen; a lost session shows at the next look.
  if (reply.ok() && !reply->text.empty()) listener_.on_history(place_, parse_history(reply->text));
}

}  // namespace switchyard::inline v0::fleet
