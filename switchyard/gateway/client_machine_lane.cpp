#include <switchyard/gateway/client_machine.hpp>

namespace switchyard::inline v0::gateway {

bool ClientMachine::offer(const LaneGroup& group, WireRequest& request) {
  const bool at_ease = state_ == nullptr && end_ == State::running && status_ == 'I' && own_ == Own::none &&
                       skip_ == Skip::no && !refusal_ && !group_open_;
  if (!at_ease) return false;
  if (group.kind == LaneGroup::Kind::simple) {
    request.sql = group.sql;
    return !refused(request.sql);
  }
  InternRef found;
  const Intern* intern = nullptr;
  if (!group.parse.empty()) {
    // One with a name stays: that is for on_parse().
    if (!group.name.empty() || group.parse.find('\0') == ByteView::npos) return false;
    if (!unnamed_ || unnamed_->body != group.parse || unnamed_->settings != meaning_) {
      found = intern_of(group.parse);
      offered_ = found;
    } else {
      offered_ = unnamed_;
    }
    intern = offered_.get();
  } else if (group.name.empty()) {
    intern = unnamed_.get();
  } else if (const InternRef* named = find_name(group.name)) {
    intern = named->get();
  }
  // Constants were read under the settings of that time.
  if (intern == nullptr || intern->settings != meaning_) return false;
  request.sql = intern->sql();
  if (refused(request.sql)) return false;
  ByteView types = ByteView(intern->body).substr(request.sql.size() + 1);
  if (types.size() < 2) return false;
  const std::size_t count = base::load_be<std::uint16_t>(types.data());
  types.remove_prefix(2);
  if (types.size() != count * sizeof(Oid)) return false;
  static thread_local std::vector<Oid> oids;  // read before anybody else is asked
  oids.resize(count);
  for (std::size_t i = 0; i < count; ++i) oids[i] = base::load_be<Oid>(types.data() + i * sizeof(Oid));
  request.types = oids;
  request.bind = group.bind;
  request.parse_complete = !group.parse.empty();
  request.statement_description = group.describes_statement;
  request.portal_description = group.describes_portal;
  const bool asks = group.describes_statement || group.describes_portal || !group.parse.empty();
  request.columns = asks ? nullptr : &intern->columns;
  return true;
}

/// The first that was said stands: who was told later knows the same, or is better off on a session.
void ClientMachine::note_columns(Intern& intern, ByteView body) {
  if (!intern.columns.empty() || body.size() < 2) return;
  // Behind each name: table, column, type, size, modifier, format.
  constexpr std::size_t kFixed = 4 + 2 + 4 + 2 + 4 + 2;
  std::string columns(body);
  std::size_t at = 2;
  for (int left = base::load_be<std::int16_t>(body.data()); left > 0; --left) {
    const std::size_t end = columns.find('\0', at);
    if (end == std::string::npos || columns.size() - end - 1 < kFixed) return;
    at = end + 1 + kFixed;
    columns[at - 2] = columns[at - 1] = '\0';
  }
  if (at == columns.size()) shared_.interns.set_columns(intern, std::move(columns));
}

void ClientMachine::shared(const LaneGroup& group) {
  wants_session_ = held_ = false;
  if (group.kind == LaneGroup::Kind::simple) {
    unnamed_.reset();  // a query takes the unnamed statement away
    unnamed_interned_ = false;
  } else if (!group.parse.empty()) {
    unnamed_ = std::move(offered_);
    unnamed_interned_ = false;
  }
}

}  // namespace switchyard::inline v0::gateway
