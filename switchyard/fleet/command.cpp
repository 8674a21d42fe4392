#include <switchyard/fleet/command.hpp>

#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

class CommandState final : public session::ResultState<std::string> {
 public:
  CommandState() = default;
  std::string take() override { return std::move(tag_); }
  void on_describe(const std::shared_ptr<const protocol::RowDescription>& /*description*/) noexcept override {}
  void on_command_complete(std::string_view tag) noexcept override { tag_.assign(tag); }

 private:
  void recycle() noexcept override { delete this; }
  void clear_result() noexcept override { tag_.clear(); }
  std::string tag_;
};

}  // namespace

Operation<std::string> run_command(session::OperationHost& host, std::string_view sql, CommandKind kind) {
  session::OperationPtr<session::ResultState<std::string>> state(new CommandState);
  state->host = &host;
  state->parts.front().sql = sql;
  state->script = true;
  state->keeps_session_clean = true;
  state->uncancellable = kind == CommandKind::final;
  state->undecided = kind != CommandKind::final;
  return Operation<std::string>(std::move(state));
}

}  // namespace switchyard::inline v0::fleet
