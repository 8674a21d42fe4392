#include <switchyard/gateway/client_machine.hpp>

#include <switchyard/gateway/notify_senders.hpp>

#include <switchyard/protocol/error_fields.hpp>
#include <switchyard/protocol/messages/extended.hpp>
#include <switchyard/protocol/messages/query.hpp>
#include <switchyard/protocol/messages/session.hpp>

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

using Kind = Step::Kind;

/// Settings on which the meaning of a text does not depend.
constexpr std::string_view kApplicationName = "application_name";
/// An unnamed statement is kept on the server from this use on.
constexpr std::uint32_t kInternFromUse = 3;
/// Answers that one client may be owed before it has to wait with more.
constexpr std::size_t kMostDue = 10'000;
/// Names of prepared statements that one client may have.
constexpr std::size_t kMostNames = 10'000;
/// What is sent in the place of a text that may not run: it can't be parsed.
constexpr std::string_view kFailingText = "!";
constexpr ByteView kFailingBody("!\0\0\0", 4);  // the same in a Parse: no types of parameters
constexpr std::string_view kFailingName = "switchyard_refused";
/// Functions below are built in (FirstNormalObjectId).
constexpr Oid kFirstUserOid = 16384;

/// The text up to its zero byte, and what follows; nothing if there is none.
std::optional<std::pair<std::string_view, ByteView>> take_text(ByteView body) noexcept {
  const std::size_t end = body.find('\0');
  if (end == ByteView::npos) return std::nullopt;
  return std::pair(body.substr(0, end), body.substr(end + 1));
}

/// May the text be DEALLOCATE or DISCARD?
bool begins_with_d(std::string_view sql) noexcept {
  const std::size_t at = sql.find_first_not_of(" \t\r\n");
  return at != std::string_view::npos && (sql[at] == 'd' || sql[at] == 'D');
}

/// Nothing that is due was asked for by the client.
bool only_hidden(SessionState& state) noexcept {
  for (std::size_t i = 0; const Step* step = state.ahead(i); ++i) {
    if (!step->hidden) return false;
  }
  return true;
}

}  // namespace

ClientMachine::ClientMachine(SharedStatements shared, base::WriteBuffer& client_out, std::uint32_t id,
                             std::uint32_t max_message_size)
    : shared_(shared), client_out_(client_out), id_(id), max_message_size_(max_message_size) {}

void ClientMachine::begin(SettingsRef startup, SettingsRef parameters) {
  startup_ = std::move(startup);
  parameters_ = login_parameters_ = std::move(parameters);
  logged_in_ = true;
  become(startup_);
}

void ClientMachine::become(SettingsRef settings) {
  if (settings_ == settings) return;
  settings_ = std::move(settings);
  const std::pair<std::string, std::optional<std::string>> without(kApplicationName, std::nullopt);
  meaning_ = settings_ ? shared_.sets.intern(with_changes(settings_, {&without, 1})) : nullptr;
  has_custom_ = settings_ && std::ranges::any_of(*settings_, [](const auto& setting) {
                  return setting.first.find('.') != std::string::npos;
                });
  if (has_custom_ && state_ != nullptr) {
    pins_ |= Claim::custom;
    state_->held_custom = true;
  }
}

// ---- the session ----

void ClientMachine::attach(SessionState& state, base::WriteBuffer& server_out, std::int32_t server_pid, Use use) {
  state_ = &state;
  use_ = use;
  used_ = false;
  read_stage_ = ReadStage::before;
  server_out_ = &server_out;
  server_pid_ = server_pid;
  wants_session_ = gives_up_ = spoilt_ = told_fatal_ = false;
  fresh_ = state.last_user != id_;
  if (fresh_) state.sequences_of = 0;
  state.last_user = id_;
  if (has_custom_) {
    pins_ |= Claim::custom;
    state.held_custom = true;
  }
  // What was changed for everybody meanwhile.
  if (state.settings == settings_) tell_parameters(state.parameters);
}

void ClientMachine::detach() noexcept {
  state_ = nullptr;
  server_out_ = nullptr;
  pins_ = Claim::none;
  recheck_ = gives_up_ = spoilt_ = group_open_ = copy_in_ = resets_all_ = false;
  use_ = Use::anything;
  used_ = false;
  again_ = Again::no;
  native_listens_ = shown_listens_ = fences_ = failed_ = false;
  if (std::exchange(notifies_, false)) shared_.senders->left(server_pid_, id_, Clock::now());
  end_tag_ = '\0';
  if (!waits_for_hub_) {
    asks_hub_ = false;
    wanted_channels_.clear();
  }
  shows_statements_ = false;
  shown_names_.clear();
  if (listening_) listening_->forget_expected();
  held_ready_ = '\0';
  rest_ = 0;
  resets_.clear();
  stand_ins_.clear();
  own_ = Own::none;
  skip_ = Skip::no;
  touched_.clear();
  reported_.clear();
  unjudged_.clear();
  changes_.clear();
}

bool ClientMachine::settled() const noexcept {
  return state_ != nullptr && state_->drained() && !group_open_ && !copy_in_ && status_ == 'I' &&
         own_ == Own::none && skip_ == Skip::no && rest_ == 0 && !waits_for_hub_;
}

bool ClientMachine::quiet() const noexcept {
  return settled() && !state_->fenced && !recheck_ && touched_.empty() && reported_.empty() && !moves_listens() &&
         !shows_statements_;
}

bool ClientMachine::survives_loss() const noexcept {
  const bool idle = state_ == nullptr || state_->drained() || own_ != Own::none;
  return idle && !group_open_ && !copy_in_ && status_ == 'I' && skip_ == Skip::no && held_ready_ == '\0' &&
         !any(pins_) && unjudged_.empty() && touched_.empty() && reported_.empty();
}

template <class F>
void ClientMachine::guarded(F act) noexcept {
  try {
    act();
  } catch (const std::exception&) {
    end_ = State::no_memory;
  }
}

void ClientMachine::settle() noexcept {
  guarded([this] { ask_server(); });
}

void ClientMachine::ask_server() {
  if (!settled() || spoilt_) return;
  if (state_->fenced) return begin_own(Own::ping, ";");
  if (recheck_ && !any(pins_ & kProvable)) recheck_ = false;
  if (recheck_) {
    return begin_own(
        Own::prove,
        "SELECT pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.<>) 0::pg_catalog.oid AND (EXISTS (SELECT FROM "
        "pg_catalog.pg_class WHERE relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()) OR EXISTS "
        "(SELECT FROM pg_catalog.pg_type WHERE typnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()) "
        "OR EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace OPERATOR(pg_catalog.=) "
        "pg_catalog.pg_my_temp_schema())), EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype "
        "OPERATOR(pg_catalog.=) 'advisory'::pg_catalog.text AND pid OPERATOR(pg_catalog.=) "
        "pg_catalog.pg_backend_pid()), EXISTS (SELECT FROM pg_catalog.pg_cursors WHERE is_holdable), EXISTS "
        "(SELECT "
        "FROM pg_catalog.pg_listening_channels()), EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE "
        "from_sql)");
  }
  if (shows_statements_) return hide_statements();
  if (moves_listens()) return ask_channels();
  if (listening_ && !held_ && !any(pins_ & Claim::listens)) listening_->forget_expected();
  std::erase_if(touched_, [](const std::string& name) { return name.find('.') != std::string::npos; });
  std::erase_if(reported_,
                [&](const std::string& name) { return std::ranges::find(touched_, name) != touched_.end(); });
  if (!touched_.empty() || !reported_.empty()) begin_own(Own::read, read_text(touched_, reported_));
}

void ClientMachine::log_in(SettingsRef startup) {
  startup_ = std::move(startup);
  become(startup_);
  const std::string change = change_text(state_->settings, settings_);
  touched_.clear();
  if (settings_) {
    for (const auto& [name, value] : *settings_) touched_.push_back(name);
  }
  if (change.empty()) {
    tell_parameters(state_->parameters);
    return;
  }
  begin_own(Own::log_in, change);
}

void ClientMachine::judge_again() noexcept {
  guarded([this] { judge_texts(); });
}

void ClientMachine::judge_texts() {
  std::erase_if(unjudged_, [&](const std::string& sql) {
    const ClientText text = read(sql);
    if (!text.judged) return false;
    claim(text.claims);
    recheck_ = recheck_ || any(text.claims & kProvable);
    return true;
  });
}

void ClientMachine::refuse(ServerFields error) {
  wants_session_ = false;
  refusal_ = std::make_unique<ServerFields>(std::move(error));
  refusal_->severity = refusal_->severity_localized = "ERROR";
}

ClientText ClientMachine::read(std::string_view sql) const {
  return read_client_text(sql, escapes_ ? Backslash::escapes : Backslash::plain, shared_.harmless);
}

// ---- messages of the client ----

void ClientMachine::on_client(base::ReadBuffer& in) noexcept {
  guarded([&] { read_client(in); });
}

void ClientMachine::on_server(base::ReadBuffer& in) noexcept {
  guarded([&] { read_server(in); });
}

void ClientMachine::read_client(base::ReadBuffer& in) {
  held_ = false;
  const protocol::FrameLimits& limits = protocol::frontend_limits();
  while (end_ == State::running && in.size() != 0) {
    const protocol::Frame frame = protocol::next_frame(in.readable(), limits, max_message_size_);
    if (frame.status == protocol::FrameStatus::incomplete) return;
    if (frame.status != protocol::FrameStatus::complete) return bad_message(frame);
    if (own_ != Own::none || spoilt_ || waits_for_hub_ ||
        !on_message(frame, in.readable().substr(0, frame.total))) {
      held_ = true;
      if (const std::size_t ran = std::exchange(ran_, 0); ran != 0) {
        // Behind what is not consumed there is room for more. Positions in errors stay as they are.
        std::memset(in.prepare(0) - in.size() + protocol::kFrameHeader, ' ', ran);
      }
      return;
    }
    in.consume(frame.total);
  }
}

void ClientMachine::bad_message(const protocol::Frame& frame) {
  end_ = State::client_broke;
  error_ =
      frame.status == protocol::FrameStatus::unknown_type
          ? "invalid frontend message type " + std::to_string(static_cast<unsigned char>(frame.type))
          : std::string(protocol::frame_error(frame, protocol::frontend_limits(), max_message_size_).message());
}

bool ClientMachine::on_message(const protocol::Frame& frame, ByteView message) {
  if (frame.type == protocol::Terminate::kType) {
    end_ = State::goodbye;
    return true;
  }
  if (frame.type == 'p') {
    end_ = State::client_broke;
    error_ = "invalid frontend message type 112";
    return true;
  }
  if (skip_ != Skip::no || refusal_) return skip_message(frame, message);
  if (std::exchange(drops_message_, false)) return true;
  if (state_ == nullptr) {
    if (answer_without_session(frame)) return true;
    wants_session_ = true;
    return false;
  }
  if (settled()) {
    // A cancel request that is on its way may not hit what follows.
    if (state_->fenced) return false;
    if (state_->settings != settings_ && touched_.empty() && reported_.empty()) {
      begin_own(Own::replay, change_text(state_->settings, settings_));
      return false;
    }
    // What others have left there is not for who may ask for it within a transaction.
    if (asks_sequences_ && fresh_) return discard_sequences(), false;
  }
  if (state_->due() > kMostDue) return false;
  // What the gateway tidies up behind a group is done before the next one is looked at.
  if (!group_open_ && !state_->drained() && only_hidden(*state_)) return false;
  // What follows the one read may be for another server: its end has to be seen first.
  if (use_ != Use::anything && (used_ || state_->boundaries() != 0)) return false;
  if (use_ == Use::one_transaction) {
    if (is_outside_read(frame, message)) return split_group(), false;
    if (frame.type == 'Q' && split_text(frame)) return false;
  }
  if (copy_in_ && frame.type != 'd') {
    if (frame.type == 'S' || frame.type == 'H') return send(message), true;  // passed over by the server
    copy_in_ = false;
    if (frame.type != 'c' && frame.type != 'f') return send(message), true;  // the end of the COPY, by an error
  }
  if (use_ == Use::one_transaction) note_read_message(frame);
  switch (frame.type) {
    case 'Q': return on_query(frame, message);
    case 'P': return on_parse(frame, message);
    case 'B': return on_bind(frame, message);
    case 'D': return on_describe(frame, message);
    case 'C': return on_close(frame, message);
    case 'S': return on_sync(message), true;
    case 'F': return on_call(frame, message), true;
    case 'E':
      send(message);
      expect(Kind::execute);
      return true;
    case 'd': return send(message), true;
    case 'c':
    case 'f':
      send(message);
      if (!state_->drained()) expect(Kind::copy_end);
      return true;
    default: return send(message), true;  // Flush
  }
}

/// Between an error and its Sync nothing counts.
bool ClientMachine::skip_message(const protocol::Frame& frame, ByteView message) {
  if (refusal_) {
    protocol::encode_error_response(client_out_, *refusal_);
    refusal_.reset();
    if (frame.type == 'Q' || frame.type == 'F' || frame.type == 'S') {
      ready(status_);
    } else {
      skip_ = Skip::locally;
    }
    return true;
  }
  if (frame.type != 'S') return true;
  const bool locally = std::exchange(skip_, Skip::no) == Skip::locally;
  if (locally) {
    ready(status_);
  } else {
    on_sync(message);
  }
  return true;
}

bool ClientMachine::answer_without_session(const protocol::Frame& frame) {
  switch (frame.type) {
    case 'S': ready(status_); return true;
    case 'H':
    case 'd':
    case 'c':
    case 'f': return true;
    case 'C': {
      if (frame.body.size() < 2) return false;
      const auto name = take_text(frame.body.substr(1));
      if (!name || frame.body.front() != 'S') return false;
      if (name->first.empty()) {
        unnamed_.reset();
      } else {
        names_.erase(std::string(name->first));
      }
      (void)encode(client_out_, protocol::CloseComplete());
      return true;
    }
    case 'Q': {
      const auto sql = take_text(frame.body);
      if (!sql || !begins_with_d(sql->first)) return false;
      const ClientText text = read(sql->first);
      if (text.verb == TextVerb::discard_all) return discard_all(), true;
      if (text.verb == TextVerb::deallocate_all) {
        names_.clear();
        return answer_command("DEALLOCATE ALL"), true;
      }
      if (text.verb != TextVerb::deallocate || names_.erase(text.name) == 0) return false;
      return answer_command("DEALLOCATE"), true;
    }
    default: return false;
  }
}

void ClientMachine::answer_command(std::string_view tag) {
  unnamed_.reset();  // as any query does
  (void)encode(client_out_, protocol::CommandComplete{tag});
  ready(status_);
}

/// Everything is as after the login: what was on the session is left to whoever gives it back.
void ClientMachine::discard_all() {
  names_.clear();
  unnamed_.reset();
  if (listening_) listening_->forget_all();
  become(startup_);
  tell_parameters(login_parameters_);
  if (state_ != nullptr && (any(pins_) || !unjudged_.empty() || !touched_.empty())) gives_up_ = true;
  answer_command("DISCARD ALL");
}

bool ClientMachine::on_refused(char type, std::string_view sql) {
  auto refusal = (*shared_.refuses)(sql);
  if (!refusal) return false;
  if (type == 'Q') {
    (void)encode(*server_out_, protocol::Query{kFailingText});
    expect(Kind::query);
    state_->set_unnamed(nullptr);
    change_unnamed(nullptr, false);
    group_open_ = false;
  } else {
    send_renamed('P', {}, kFailingName, kFailingBody);
    expect(Kind::parse);
    group_open_ = true;
  }
  state_->last()->refusal = std::make_shared<const ServerFields>(*std::move(refusal));
  return true;
}

bool ClientMachine::on_query(const protocol::Frame& frame, ByteView message) {
  const auto sql = take_text(frame.body);
  if (!sql) {
    send(message);
    expect(Kind::query);
    return true;
  }
  if (shared_.refuses != nullptr && on_refused('Q', sql->first)) return true;
  ClientText text = read(sql->first);
  if (!text.plain) {
    if (text.verb != TextVerb::other) {
      bool done = false;
      if (!on_text_verb(text, message, done)) return false;
      if (done) return true;
    }
    if (!own_sequences(text)) return false;
  }
  if (hub_ && (!await_hub(text) || !show_channels(sql->first))) return false;
  note_notify(text);
  show_statements(text);
  if (!shows_statements_ && (text.verb == TextVerb::execute || text.verb == TextVerb::prepare)) {
    // The client's name is another one on the server.
    if (const InternRef* known = find_name(text.name); known != nullptr && *known) {
      const bool absent = state_->find(**known) == nullptr;
      if (absent && !state_->drained()) return false;
      if (!ensure(*known)) return false;
      std::string changed(sql->first);
      changed.replace(text.name_at, text.name_size, state_->name_of(**known));
      if (absent && !group_open_) {
        // A Parse of ours in front of a query has a Sync of its own; the query says what is wrong.
        state_->last()->silent = true;
        send_hidden_sync();
      }
      (void)encode(*server_out_, protocol::Query{changed});
      expect(Kind::query);
      // What it leaves is what the statement leaves.
      if (!(*known)->text.judged) (*known)->text = read((*known)->sql());
      if (!(*known)->text.plain) {
        ClientText executed = (*known)->text;
        executed.verb = TextVerb::other;
        state_->last()->text = std::make_shared<const ClientText>(std::move(executed));
      }
      state_->set_unnamed(nullptr);
      change_unnamed(nullptr, false);
      group_open_ = false;
      return true;
    }
  }
  if (listening_) listening_->sent();
  send(message);
  expect(Kind::query);
  if (!text.plain) state_->last()->text = std::make_shared<const ClientText>(std::move(text));
  // A query takes the unnamed statement away.
  state_->set_unnamed(nullptr);
  change_unnamed(nullptr, false);
  group_open_ = false;
  return true;
}

/// DEALLOCATE and DISCARD ALL of what lives here. False: wait.
bool ClientMachine::on_text_verb(const ClientText& text, ByteView /*message*/, bool& done) {
  const bool ours = text.verb == TextVerb::deallocate || text.verb == TextVerb::deallocate_all ||
                    text.verb == TextVerb::discard_all;
  if (!ours) return true;
  if (!state_->drained() || own_ != Own::none) return false;
  // The server says what is wrong with it.
  if (status_ == 'E' || group_open_) return true;
  if (text.verb == TextVerb::discard_all) {
    if (status_ != 'I') return true;
    discard_all();
    return done = true;
  }
  if (text.verb == TextVerb::deallocate_all) {
    // Statements of SQL's PREPARE are the session's.
    const bool all_here = std::ranges::none_of(names_, [](const auto& entry) { return entry.second == nullptr; });
    if (!all_here) return true;
    names_.clear();
    answer_command("DEALLOCATE ALL");
    return done = true;
  }
  const InternRef* known = find_name(text.name);
  if (known == nullptr || !*known) return true;
  names_.erase(text.name);
  answer_command("DEALLOCATE");
  return done = true;
}

/// The values of sequences on the session are its own, if the text asks for them. False: wait.
bool ClientMachine::own_sequences(const ClientText& text) {
  if (!any(text.claims & Claim::sequences)) return true;
  asks_sequences_ = true;
  if (!fresh_ || !settled()) return true;
  discard_sequences();
  return false;
}

void ClientMachine::discard_sequences() { begin_own(Own::sequences, "DISCARD SEQUENCES"); }

InternRef ClientMachine::intern_of(ByteView body) {
  // Within a transaction that has changed settings nobody knows yet which hold.
  const SettingsRef settings = touched_.empty() ? meaning_ : std::make_shared<const Settings>();
  return shared_.interns.find_or_add(body, settings, [&](std::string_view sql) { return read(sql); });
}

bool ClientMachine::internable(const Intern& intern) const noexcept {
  return shared_.keeps_unnamed && intern.uses >= kInternFromUse && intern.text.plain && touched_.empty() &&
         status_ != 'E' && state_->boundaries() == 0;
}

bool ClientMachine::on_parse(const protocol::Frame& frame, ByteView message) {
  const auto name = take_text(frame.body);
  if (!name || !take_text(name->second)) {
    send(message);
    expect(Kind::parse);
    group_open_ = true;
    return true;
  }
  if (shared_.refuses != nullptr && on_refused('P', name->second.substr(0, name->second.find('\0')))) return true;
  InternRef intern = intern_of(name->second);
  // Once something of a group is on the session, that can't be given up while the hub is waited for.
  if (hub_ && !group_open_ && !await_hub(intern->text)) return false;
  if (hub_ && !show_channels(intern->sql())) return false;
  show_statements(intern->text);
  bool renamed = false;
  if (intern->text.verb == TextVerb::execute && !shows_statements_) {
    // The client's name is another one on the server.
    if (const InternRef* known = find_name(intern->text.name); known != nullptr && *known) {
      const InternRef executes = *known;
      if (uncertain(intern->text.name) || !ensure(executes)) return false;
      std::string body(name->second);
      body.replace(intern->text.name_at, intern->text.name_size, state_->name_of(*executes));
      intern = intern_of(body);
      intern->executes = executes;
      renamed = true;
    }
  }
  if (!own_sequences(intern->text)) return false;
  if (names_.size() >= kMostNames && !name->first.empty() && find_name(name->first) == nullptr) {
    end_ = State::client_broke;
    error_ = "more than " + std::to_string(kMostNames) + " prepared statements of one client";
    return true;
  }
  if (name->first.empty()) {
    if (internable(*intern) && !shows_statements_) {
      if (SessionState::Prepared* known = state_->find(*intern)) {
        state_->touch(*known);
        expect_locally(Kind::own_parse_complete);
      } else {
        prepare(intern);
      }
      group_open_ = true;
      change_unnamed(std::move(intern), true);
      return true;
    }
    if (renamed) {
      send_parse(*intern, "");
    } else {
      send(message);
    }
    expect(Kind::parse, intern);
    group_open_ = true;
    state_->set_unnamed(intern);
    change_unnamed(std::move(intern), false);
    return true;
  }
  if (uncertain(name->first)) return false;
  if (shows_statements_) {
    const bool exists = find_name(name->first) != nullptr;
    send(message);
    expect(Kind::parse, exists ? nullptr : intern);
    group_open_ = true;
    if (exists) return true;
    shown_names_.emplace_back(name->first);
    change_name(name->first, std::move(intern));
    return true;
  }
  if (const InternRef* known = find_name(name->first)) {
    if (!*known) {
      send(message);  // made by PREPARE: the server knows it under this name
    } else {
      const InternRef existing = *known;
      // The name is enough, and can be brought into a transaction that has failed.
      if (state_->find(*existing) == nullptr) {
        put_stand_in(state_->name_of(*existing));
      } else if (!ensure(existing)) {
        return false;
      }
      send_renamed('P', {}, state_->name_of(*existing), name->second);
    }
    expect(Kind::parse);
    group_open_ = true;
    return true;
  }
  if (SessionState::Prepared* known = state_->find(*intern)) {
    if (state_->boundaries() != 0) return false;
    if (status_ == 'E' && !intern->text.leaves_transaction) {
      send_renamed('P', {}, state_->name_of(*intern), name->second);
      expect(Kind::parse);
      group_open_ = true;
      return true;
    }
    state_->touch(*known);
    expect_locally(Kind::own_parse_complete);
  } else {
    prepare(intern);
  }
  group_open_ = true;
  change_name(name->first, std::move(intern));
  return true;
}

bool ClientMachine::ensure(const InternRef& intern) {
  if (SessionState::Prepared* known = state_->find(*intern)) {
    if (known->step >= state_->head_step() && state_->boundaries() != 0) return false;
    state_->touch(*known);
    return true;
  }
  prepare(intern);
  state_->last()->hidden = true;
  return true;
}

/// The session gets the statement under a name of ours.
void ClientMachine::prepare(const InternRef& intern) {
  make_room();
  state_->add(intern);
  send_parse(*intern, state_->name_of(*intern));
  expect(Kind::parse, intern);
  state_->last()->registers = true;
}

/// The unnamed statement on the session is the client's, or there is none.
void ClientMachine::place_unnamed() {
  if (state_->unnamed == unnamed_ && !state_->unnamed_uncertain()) return;
  if (unnamed_) {
    send_parse(*unnamed_, "");
    expect(Kind::parse, unnamed_);
  } else {
    (void)encode(*server_out_, protocol::Close{protocol::Target::statement, ""});
    expect(Kind::close);
  }
  state_->last()->hidden = true;
  state_->set_unnamed(unnamed_);
}

/// The oldest leave when there are too many: at the beginning of a group, where nothing can make the server pass
/// over it.
void ClientMachine::make_room() {
  if (!state_->drained() || group_open_) return;
  while (state_->prepared() >= shared_.max_prepared) {
    const InternRef oldest = state_->least_used();
    if (!oldest) return;
    (void)encode(*server_out_, protocol::Close{protocol::Target::statement, state_->name_of(*oldest)});
    expect(Kind::close);
    state_->last()->hidden = true;
    state_->remove(*oldest);
  }
}

bool ClientMachine::on_bind(const protocol::Frame& frame, ByteView message) {
  const auto portal = take_text(frame.body);
  const auto name = portal ? take_text(portal->second) : std::nullopt;
  if (!name) {
    send(message);
    expect(Kind::bind);
    group_open_ = true;
    return true;
  }
  InternRef intern;
  bool on_server = false;  // under a name of ours
  if (uncertain(name->first)) return false;
  const bool unnamed = name->first.empty();
  if (const InternRef* known = unnamed ? &unnamed_ : find_name(name->first)) intern = *known;
  if (intern) show_statements(intern->text);
  if (unnamed) {
    on_server = unnamed_interned_ && !shows_statements_;
    if (!on_server) place_unnamed();
  } else {
    on_server = intern && !shows_statements_;
  }
  if (intern && intern->executes && !ensure(intern->executes)) return false;
  if (intern && hub_ && (!await_hub(intern->text) || !show_channels(intern->sql()))) return false;
  if (intern) {
    if (!intern->text.judged) intern->text = read(intern->sql());
    note_notify(intern->text);
    if (!own_sequences(intern->text)) return false;
  }
  const bool takes_name = intern && intern->text.verb == TextVerb::deallocate && status_ != 'E';
  if (takes_name && uncertain(intern->text.name)) return false;
  if (on_server) {
    if (!ensure(intern)) return false;
    if (takes_name) stand_in(intern->text.name);
    const std::size_t prefix = portal->first.size() + 1;
    send_renamed('B', frame.body.substr(0, prefix), state_->name_of(*intern), name->second);
  } else {
    if (takes_name) stand_in(intern->text.name);
    send(message);
  }
  expect(Kind::bind);
  bound_ = portal->first.empty() ? intern : nullptr;
  group_open_ = true;
  if (intern && intern->executes && !intern->executes->text.plain) apply(intern->executes->text);
  if (intern && !intern->text.plain) apply(intern->text);
  if (takes_name) change_name(intern->text.name, nullptr);
  return true;
}

/// DEALLOCATE in the extended protocol is the server's to answer: it gets a statement of the client's name to take
/// away.
void ClientMachine::stand_in(const std::string& name) {
  const InternRef* known = find_name(name);
  if (known != nullptr && *known) put_stand_in(name);
}

/// Until the end of the group.
void ClientMachine::put_stand_in(const std::string& name) {
  constexpr ByteView kNothing("\0\0\0", 3);  // an empty text, no parameters
  send_renamed('P', {}, name, kNothing);
  expect(Kind::parse);
  state_->last()->hidden = true;
  stand_ins_.push_back(name);
}

bool ClientMachine::on_describe(const protocol::Frame& frame, ByteView message) {
  const auto name = frame.body.size() < 2 ? std::nullopt : take_text(frame.body.substr(1));
  const bool statement = name && frame.body.front() == 'S';
  if (statement && uncertain(name->first)) return false;
  if (statement && name->first.empty() && (!unnamed_interned_ || shows_statements_)) place_unnamed();
  InternRef intern;
  if (statement) {
    const InternRef* known =
        name->first.empty() ? (unnamed_interned_ ? &unnamed_ : nullptr) : find_name(name->first);
    if (known != nullptr) intern = *known;
  }
  const InternRef& meant = statement && name->first.empty() ? unnamed_ : intern;
  if (meant && meant->executes && !ensure(meant->executes)) return false;
  if (intern && !shows_statements_) {
    if (!ensure(intern)) return false;
    send_renamed('D', "S", state_->name_of(*intern), {});
  } else {
    send(message);
  }
  expect(statement || !name ? Kind::describe_statement : Kind::describe_portal);
  if (!statement && name && name->first.empty()) intern = bound_;
  if (statement && name->first.empty()) intern = unnamed_;
  state_->last()->intern = std::move(intern);
  group_open_ = true;
  return true;
}

bool ClientMachine::on_close(const protocol::Frame& frame, ByteView message) {
  const auto name = frame.body.size() < 2 ? std::nullopt : take_text(frame.body.substr(1));
  if (name && frame.body.front() == 'S') {
    if (uncertain(name->first)) return false;
    const InternRef* known = name->first.empty() ? nullptr : find_name(name->first);
    if (name->first.empty() || (known != nullptr && *known)) {
      expect_locally(Kind::own_close_complete);
      group_open_ = true;
      if (name->first.empty()) {
        change_unnamed(nullptr, false);
      } else {
        change_name(name->first, nullptr);
      }
      return true;
    }
    if (known != nullptr) {
      recheck_ = true;
      names_.erase(std::string(name->first));
    }
  }
  send(message);
  expect(Kind::close);
  group_open_ = true;
  return true;
}

void ClientMachine::on_sync(ByteView message, Part part) {
  if (listening_) listening_->sent();
  send(message);
  expect(Kind::sync);
  state_->last()->part = part == Part::yes;
  group_open_ = false;
  if (stand_ins_.empty()) return;
  // Gone already, unless an error came in between.
  for (const std::string& name : std::exchange(stand_ins_, {})) {
    (void)encode(*server_out_, protocol::Close{protocol::Target::statement, name});
    expect(Kind::close);
    state_->last()->hidden = true;
  }
  send_hidden_sync();
}

void ClientMachine::on_call(const protocol::Frame& frame, ByteView message) {
  if (frame.body.size() >= 4 && base::load_be<Oid>(frame.body.data()) >= kFirstUserOid) pins_ |= Claim::functions;
  send(message);
  expect(Kind::call);
  group_open_ = false;
}

// ---- to the server ----

/// A message with a name in it replaced.
void ClientMachine::send_renamed(char type, ByteView before, std::string_view name, ByteView behind) {
  server_out_->put_u8(static_cast<std::uint8_t>(type));
  server_out_->put_i32(static_cast<std::int32_t>(4 + before.size() + name.size() + 1 + behind.size()));
  server_out_->put(before);
  server_out_->put_cstring(name);
  server_out_->put(behind);
}

void ClientMachine::send_parse(const Intern& intern, std::string_view name) {
  send_renamed('P', {}, name, intern.body);
}

void ClientMachine::expect(Kind kind, InternRef intern) {
  Step step;
  step.kind = kind;
  step.intern = std::move(intern);
  state_->expect(std::move(step));
}

/// Answered here, in its turn.
void ClientMachine::expect_locally(Kind kind) {
  expect(kind);
  advance();
}

void ClientMachine::begin_own(Own own, std::string_view sql) {
  own_ = own;
  own_row_.clear();
  own_error_.reset();
  (void)encode(*server_out_, protocol::Query{sql});
  expect(Kind::query);
  state_->last()->hidden = state_->last()->silent = true;
  state_->set_unnamed(nullptr);
}

// ---- names ----

const InternRef* ClientMachine::find_name(std::string_view name) const {
  const auto found = names_.find(std::string(name));
  return found == names_.end() ? nullptr : &found->second;
}

/// An earlier group of messages has changed what the name means, and may yet turn out to have failed before that.
bool ClientMachine::uncertain(std::string_view name) const noexcept {
  for (std::size_t i = changes_.size(); i-- > 0;) {
    const Change& change = changes_[i];
    if (change.unnamed == name.empty() && change.name == name) return change.step < state_->last_boundary();
  }
  return false;
}

/// As of the step that was expected last; null takes the name away.
void ClientMachine::change_name(std::string_view name, InternRef intern) {
  std::string key(name);
  const std::uint64_t step = state_->next_step() - 1;
  if (step >= state_->head_step()) {
    std::optional<InternRef> before;
    if (const auto found = names_.find(key); found != names_.end()) before = found->second;
    changes_.push_back({step, key, false, std::move(before), false});
  }
  if (intern) {
    names_[std::move(key)] = std::move(intern);
  } else {
    names_.erase(key);
  }
}

void ClientMachine::change_unnamed(InternRef intern, bool interned) {
  const std::uint64_t step = state_->next_step() - 1;
  if (step >= state_->head_step()) changes_.push_back({step, {}, true, unnamed_, unnamed_interned_});
  unnamed_ = std::move(intern);
  unnamed_interned_ = interned;
}

/// The steps from `from` up to `to` were passed over.
void ClientMachine::undo_changes(std::uint64_t from, std::uint64_t to) {
  for (std::size_t i = changes_.size(); i-- > 0;) {
    Change& change = changes_[i];
    if (change.step < from || change.step >= to) continue;
    const auto later = std::find_if(
        changes_.begin() + static_cast<std::ptrdiff_t>(i) + 1, changes_.end(),
        [&](const Change& other) { return other.unnamed == change.unnamed && other.name == change.name; });
    if (later != changes_.end()) {
      // What was meant behind the next Sync stands, on the ground of what was before.
      later->before = std::move(change.before);
      later->before_interned = change.before_interned;
    } else if (change.unnamed) {
      unnamed_ = std::move(*change.before);
      unnamed_interned_ = change.before_interned;
    } else if (change.before) {
      names_[change.name] = std::move(*change.before);
    } else {
      names_.erase(change.name);
    }
    changes_.erase(changes_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

}  // namespace switchyard::inline v0::gateway
