#include <switchyard/base/units.hpp>
#include <switchyard/fleet/endpoint.hpp>
#include <switchyard/fleet/route.hpp>
#include <switchyard/fleet/statement_text.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/telemetry/log.hpp>

#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

constexpr std::string_view kReadOnlyTransaction = "25006";

std::int64_t milliseconds(Duration value) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(value).count();
}

std::string limit_text(std::string_view name, Duration limit) {
  return std::string(name) + " (" + format_duration(limit) + ")";
}

}  // namespace

Route::Route(std::string database, Endpoint& endpoint, RouteAccess access, RouteLimits limits, std::string reason)
    : database_(std::move(database)),
      endpoint_(&endpoint),
      access_(access),
      limits_(limits),
      reason_(std::move(reason)),
      command_timeout_text_(limit_text("command_timeout", limits.command_timeout)),
      query_timeout_text_(limit_text("query_timeout", limits.query_timeout)) {}

Route::Route(std::string database, Error error) : database_(std::move(database)), refusal_(std::move(error)) {}

Route::~Route() = default;

void Route::apply_limits(session::OperationState& operation, TimePoint now) const noexcept {
  if (operation.max_result_bytes == session::kMaxResultBytes) operation.max_result_bytes = limits_.max_result_bytes;
  const auto limit = [&](Duration wait, std::string_view name) {
    const TimePoint until = deadline_after(now, wait);
    if (until < operation.deadline) {
      operation.deadline = until;
      operation.deadline_source = name;
    }
  };
  if (operation.timeout) limit(*operation.timeout, "the statement's timeout");
  if (limits_.query_timeout > Duration::zero()) limit(limits_.query_timeout, query_timeout_text_);
  if (limits_.command_timeout > Duration::zero()) limit(limits_.command_timeout, command_timeout_text_);
}

void Route::retire() noexcept {
  endpoint_ = nullptr;
  refusal_ = Error(ErrorKind::Closed, "the fleet was closed");
}

void Route::take_back(session::Session& session) noexcept {
  // A pool on its way out keeps its sessions.
  if (pool::Pool* pool = endpoint_ != nullptr ? endpoint_->opened_pool() : nullptr) pool->release(session);
}

void Route::start(session::OperationState& operation) noexcept {
  operation.database = database_;
  operation.route = reason_;
  if (refusal_) {
    operation.fail(*refusal_);
    return;
  }
  const TimePoint now = runtime::now();
  operation.started = now;
  operation.read_only = access_ == RouteAccess::read;
  operation.set_phase(session::OperationState::Phase::queued);
  apply_limits(operation, now);
  Queued& queued = take_queued();
  operation.retain();
  queued.operation = &operation;
  queued.deadline = operation.deadline;
  operation.host_data = &queued;
  endpoint_->pool().acquire(queued);
}

void Route::Queued::on_granted(session::Session& session, Duration waited) noexcept {
  session::OperationState& granted = *std::exchange(operation, nullptr);
  route.give_queued(*this);
  granted.host_data = nullptr;
  granted.granted = runtime::now();
  if (waited > route.limits_.slow_acquire && route.limits_.slow_acquire > Duration::zero()) {
    route.note_slow_acquire(waited);
  }
  granted.arm_deadline();
  session.run(granted);
  granted.release();
}

void Route::Queued::on_failed(const Error& error) noexcept {
  session::OperationState& failed = *std::exchange(operation, nullptr);
  route.give_queued(*this);
  failed.host_data = nullptr;
  failed.fail(error);
  failed.release();
}

void Route::abandon(session::OperationState& operation) noexcept {
  if (operation.session != nullptr) {
    operation.session->abandon(operation);
    return;
  }
  if (operation.host_data == nullptr) return;
  Queued& queued = *static_cast<Queued*>(std::exchange(operation.host_data, nullptr));
  endpoint_->pool().abandon(queued);
  queued.operation = nullptr;
  give_queued(queued);
  operation.release();
}

void Route::expire(session::OperationState& operation) noexcept {
  // While it is queued the pool keeps the deadline: its error tells what the pool looked like.
  if (operation.session != nullptr) operation.session->cancel();
}

void Route::finished(session::OperationState& operation) noexcept {
  if (endpoint_ == nullptr) return;
  ++endpoint_->operations;
  const TimePoint now = runtime::now();
  if (operation.granted != TimePoint{}) {
    const Duration took = now - operation.granted;
    endpoint_->duration.record(took);
    endpoint_->acquire.record(operation.granted - operation.started);
    if (took > limits_.slow_query && limits_.slow_query > Duration::zero()) {
      ++endpoint_->slow;
      note_slow_query(operation, took);
    }
  }
  if (!operation.error()) return;
  ++endpoint_->errors;
  if (access_ == RouteAccess::read && operation.error()->sqlstate() == kReadOnlyTransaction) {
    operation.replace_error(operation.error()->with_hint(
        "this route only reads (" + reason_ + "): use execute() or transaction() of the database itself"));
  }
}

Route::Queued& Route::take_queued() {
  if (free_queued_.empty()) {
    all_queued_.push_back(std::make_unique<Queued>(*this));
    free_queued_.reserve(all_queued_.size());
    return *all_queued_.back();
  }
  Queued& queued = *free_queued_.back();
  free_queued_.pop_back();
  return queued;
}

void Route::give_queued(Queued& queued) noexcept { free_queued_.push_back(&queued); }

void Route::note_slow_acquire(Duration waited) const {
  log::warning("fleet", "slow_pool",
               [&] {
                 return "[SLOW POOL] " + database_ + " acquisition took " + std::to_string(milliseconds(waited)) +
                        "ms";
               },
               {{"database", std::string_view(database_)}, {"milliseconds", milliseconds(waited)}});
}

void Route::note_slow_query(const session::OperationState& operation, Duration took) const {
  if (log::wanted(log::Level::warning, "fleet") == nullptr) return;
  const std::string_view sql =
      operation.parts.empty() ? std::string_view() : std::string_view(operation.parts.front().sql);
  const std::string text = shortened_statement(sql, limits_.statement_length);
  log::warning(
      "fleet", "slow_query",
      [&] { return "[SLOW QUERY] " + database_ + " took " + std::to_string(milliseconds(took)) + "ms: " + text; },
      {{"database", std::string_view(database_)},
       {"milliseconds", milliseconds(took)},
       {"statement", std::string_view(text)},
       {"name", std::string_view(operation.name)}});
}

}  // namespace switchyard::inline v0::fleet
