// A client's machine on its way to another process.
#include <switchyard/gateway/client_machine.hpp>
#include <switchyard/gateway/travelling_client.hpp>

#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

Settings copy_of(const SettingsRef& settings) { return settings ? *settings : Settings(); }

}  // namespace

bool ClientMachine::can_travel() const noexcept {
  return end_ == State::running && logged_in_ && state_ == nullptr && status_ == 'I' && !held_ && !wants_session_ &&
         !group_open_ && !copy_in_ && own_ == Own::none && skip_ == Skip::no && rest_ == 0 && !refusal_ &&
         changes_.empty() && touched_.empty();
}

ClientMemory ClientMachine::memory() const {
  ClientMemory memory;
  memory.startup = copy_of(startup_);
  memory.settings = copy_of(settings_);
  memory.parameters = copy_of(parameters_);
  memory.login_parameters = copy_of(login_parameters_);
  for (const auto& [name, intern] : names_) {
    if (intern) memory.statements.push_back({name, intern->body, copy_of(intern->settings)});
  }
  if (unnamed_) memory.unnamed = {"", unnamed_->body, copy_of(unnamed_->settings)};
  memory.unnamed_interned = unnamed_interned_;
  return memory;
}

void ClientMachine::recall(const ClientMemory& memory) {
  begin(shared_.sets.intern(memory.startup), shared_.sets.intern(memory.login_parameters));
  parameters_ = shared_.sets.intern(memory.parameters);
  become(shared_.sets.intern(memory.settings));
  const auto recalled = [&](const ClientMemory::Statement& statement) {
    return shared_.interns.find_or_add(
        statement.body, shared_.sets.intern(statement.settings),
        [&](std::string_view sql) { return read_client_text(sql, Backslash::plain, shared_.harmless); });
  };
  for (const ClientMemory::Statement& statement : memory.statements) names_[statement.name] = recalled(statement);
  if (memory.unnamed) unnamed_ = recalled(*memory.unnamed);
  unnamed_interned_ = memory.unnamed_interned;
}

}  // namespace switchyard::inline v0::gateway
