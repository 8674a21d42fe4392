#include <switchyard/session/querier.hpp>

#include <utility>

namespace switchyard::inline v0 {

void Querier::prepare(session::OperationState& state, const Statement& statement, Intent intent) const {
  state.host = intent == Intent::write ? writes_ : reads_;
  state.host_keeper = keeper_;
  state.parts.front().sql.assign(statement.sql);
  state.name.assign(statement.name.empty() ? call_.label : statement.name);
  state.timeout = statement.timeout;
  state.idempotent = statement.idempotent;
  state.lane = statement.lane;
  state.context = call_.request;
  state.deadline = call_.deadline;
  if (call_.deadline != kNever) state.deadline_source = "the request's timeout";
}

Operation<std::uint64_t> Querier::run(Batch batch) {
  auto state = session::AffectedState::create();
  prepare(*state, Statement{}, Intent::write);
  state->parts = std::move(batch.parts_);
  if (batch.error_) state->note_error(*batch.error_);
  return Operation<std::uint64_t>(std::move(state));
}

Operation<std::uint64_t> Querier::script(std::string_view sql) {
  auto state = session::AffectedState::create();
  prepare(*state, Statement{.sql = sql}, Intent::write);
  state->script = true;
  return Operation<std::uint64_t>(std::move(state));
}

CopyIn Querier::copy_in(std::string_view sql) {
  session::OperationPtr<session::CopyState> state(new session::CopyState);
  prepare(*state, Statement{.sql = sql}, Intent::write);
  state->undecided = true;
  return CopyIn(std::move(state));
}

CopyOut Querier::copy_out(std::string_view sql) {
  session::OperationPtr<session::CopyState> state(new session::CopyState);
  prepare(*state, Statement{.sql = sql}, Intent::read);
  return CopyOut(std::move(state));
}

}  // namespace switchyard::inline v0
