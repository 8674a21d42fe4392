// What a server says to a client's messages, and to those of the gateway.
#include <switchyard/base/ascii.hpp>
#include <switchyard/fleet/chooser.hpp>
#include <switchyard/gateway/client_machine.hpp>
#include <switchyard/gateway/refusal.hpp>
#include <switchyard/protocol/error_fields.hpp>
#include <switchyard/protocol/messages/extended.hpp>
#include <switchyard/protocol/messages/query.hpp>
#include <switchyard/protocol/messages/rows.hpp>
#include <switchyard/protocol/messages/session.hpp>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

using Kind = Step::Kind;

/// Larger messages of a server are passed on in pieces, so that a client's memory here stays bounded.
constexpr std::size_t kLargestWhole = 64 << 10;

/// Texts that are kept until they are understood.
constexpr std::size_t kMostUnjudged = 64;

/// What a read alone can get from a server in recovery only.
constexpr std::string_view kSerializationFailure = "40001";
/// They tell what kind of server a session is at, and change when a client's reads go elsewhere: he keeps what he
/// was told of the first.
constexpr std::array<std::string_view, 2> kOfThePlace{"in_hot_standby", "default_transaction_read_only"};
/// The server reports them, and nobody can set them.
constexpr std::array<std::string_view, 6> kNeverSet{"in_hot_standby",  "integer_datetimes",     "is_superuser",
                                                    "server_encoding", "session_authorization", "server_version"};
constexpr std::string_view kInvalidStatementName = "26000";
/// "cached plan must not change result type" is one of them.
constexpr std::string_view kPlanChanged = "0A000";

bool is_local(Kind kind) noexcept {
  return kind == Kind::own_parse_complete || kind == Kind::own_close_complete || kind == Kind::copy_end;
}

/// The columns of a DataRow as text; false: it is malformed.
bool read_row(ByteView body, std::vector<std::optional<std::string>>& row) {
  row.clear();
  if (body.size() < 2) return false;
  const auto count = base::load_be<std::uint16_t>(body.data());
  body.remove_prefix(2);
  for (unsigned i = 0; i < count; ++i) {
    if (body.size() < 4) return false;
    const auto size = base::load_be<std::int32_t>(body.data());
    body.remove_prefix(4);
    if (size < 0) {
      row.emplace_back();
      continue;
    }
    if (body.size() < static_cast<std::size_t>(size)) return false;
    row.emplace_back(body.substr(0, static_cast<std::size_t>(size)));
    body.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

}  // namespace

void ClientMachine::read_server(base::ReadBuffer& in) {
  while (end_ == State::running && in.size() != 0) {
    if (rest_ != 0) {
      const std::size_t size = std::min(rest_, in.size());
      client_out_.put(in.readable().substr(0, size));
      in.consume(size);
      rest_ -= size;
      continue;
    }
    const ByteView bytes = in.readable();
    std::size_t run = 0;  // passed on as it is
    std::size_t at = 0;
    const auto flush = [&] {
      client_out_.put(bytes.substr(run, at - run));
      run = at;
    };
    protocol::Frame frame;
    while (end_ == State::running) {
      frame = protocol::next_frame(bytes.substr(at), protocol::backend_limits());
      if (frame.status != protocol::FrameStatus::complete) break;
      if (own_ != Own::none) flush();
      Pass pass = on_answer(frame);
      if (again_ == Again::wanted && pass != Pass::broken) {
        client_out_.truncate(again_at_);
        pass = Pass::drop;
        run = at;
      }
      if (pass == Pass::pass) {
        at += frame.total;
      } else {
        flush();
        if (pass == Pass::rewrite_error) pass_error(frame);
        if (pass == Pass::notification) pass_notification(frame);
        if (pass == Pass::broken) broken("an answer that was not expected: " + protocol::show_type(frame.type));
        at += frame.total;
        run = at;
      }
      if (!state_->drained() && is_local(state_->head().kind)) {
        flush();
        advance();
      }
    }
    flush();
    in.consume(at);
    if (end_ != State::running) return;
    if (frame.status != protocol::FrameStatus::incomplete) return broken("a malformed message");
    const bool data = frame.type == 'D' || frame.type == 'd';
    const bool shown = own_ == Own::none && !state_->drained() && !state_->head().hidden;
    if (in.size() < protocol::kFrameHeader || frame.total <= kLargestWhole || !data || !shown) return;
    rest_ = frame.total;
  }
}

ClientMachine::Pass ClientMachine::on_answer(const protocol::Frame& frame) {
  switch (frame.type) {
    case 'S': {
      const Own own = own_;
      on_parameter(frame);
      return own == Own::none || own == Own::set_again ? Pass::pass : Pass::drop;
    }
    case 'A': return Pass::notification;
    case 'N': return own_ != Own::none ? Pass::drop : Pass::pass;
    case 'E': return on_error_response(frame);
    case 'R':
    case 'K':
    case 'v': return Pass::broken;
    default: break;
  }
  if (state_->drained()) return Pass::broken;
  if (own_ != Own::none) return on_own_answer(frame);
  Step& step = state_->head();
  const auto done = [&](bool fits) {
    if (!fits) return Pass::broken;
    const Pass pass = step.hidden ? Pass::drop : Pass::pass;
    state_->pop();
    std::erase_if(changes_, [&](const Change& change) { return change.step < state_->head_step(); });
    return pass;
  };
  switch (step.kind) {
    case Kind::parse: return done(frame.type == '1');
    case Kind::bind: return done(frame.type == '2');
    case Kind::close: return done(frame.type == '3');
    case Kind::describe_statement:
      if (frame.type == 't') return Pass::pass;
      [[fallthrough]];
    case Kind::describe_portal:
      if (frame.type == 'T' && step.intern) note_columns(*step.intern, frame.body);
      return done(frame.type == 'T' || frame.type == 'n');
    case Kind::execute:
      switch (frame.type) {
        case 'D':
        case 'd':
        case 'H':
        case 'c': return Pass::pass;
        case 'G': on_copy_in(); return Pass::pass;
        case 'C': note_command(frame.body); return done(true);
        case 'I':
        case 's': return done(true);
        default: return Pass::broken;
      }
    case Kind::query:
      switch (frame.type) {
        case 'T':
        case 'D':
        case 'd':
        case 'H':
        case 'c': return Pass::pass;
        case 'G': on_copy_in(); return Pass::pass;
        case 'C':
          step.completed = true;
          note_command(frame.body);
          return Pass::pass;
        case 'I': return Pass::pass;
        case 'Z': return on_ready(frame);
        default: return Pass::broken;
      }
    case Kind::call:
      if (frame.type == 'V') return Pass::pass;
      return frame.type == 'Z' ? on_ready(frame) : Pass::broken;
    case Kind::sync: return frame.type == 'Z' ? on_ready(frame) : Pass::broken;
    case Kind::copy_end:
    case Kind::own_parse_complete:
    case Kind::own_close_complete: return Pass::broken;  // never at the head for long
  }
  return Pass::broken;
}

ClientMachine::Pass ClientMachine::on_own_answer(const protocol::Frame& frame) {
  switch (frame.type) {
    case 'D': return own_row_.empty() && !read_row(frame.body, own_row_) ? Pass::broken : Pass::drop;
    case 'T':
    case 'C':
    case 'I': return Pass::drop;
    case 'Z':
      state_->pop();
      on_own_done();
      return end_ == State::running ? Pass::drop : Pass::broken;
    default: return Pass::broken;
  }
}

void ClientMachine::on_own_done() {
  const Own own = std::exchange(own_, Own::none);
  if (own_error_ && own != Own::ping) {
    spoilt_ = true;
    if (own == Own::replay) refuse(*own_error_);
    return;
  }
  switch (own) {
    case Own::none: return;
    case Own::log_in:
      state_->settings = settings_;
      tell_parameters(state_->parameters);
      return;
    case Own::replay:
      state_->settings = settings_;
      tell_parameters(state_->parameters);
      return;
    case Own::set_again:
      if (held_ready_ != '\0') ready(std::exchange(held_ready_, '\0'));
      return;
    case Own::prove: {
      constexpr std::array kAsked{Claim::temporary, Claim::locks, Claim::cursors, Claim::listens, Claim::prepares};
      if (own_row_.size() != kAsked.size()) return broken("an answer of another form");
      for (std::size_t i = 0; i < kAsked.size(); ++i) {
        pins_ &= ~kAsked[i];
        if (own_row_[i] == "t") pins_ |= kAsked[i];
      }
      recheck_ = false;
      return;
    }
    case Own::read: {
      std::vector<std::string> names = std::exchange(touched_, {});
      std::ranges::move(std::exchange(reported_, {}), std::back_inserter(names));
      if (own_row_.size() != names.size()) return broken("an answer of another form");
      std::vector<std::pair<std::string, std::optional<std::string>>> changes;
      for (std::size_t i = 0; i < names.size(); ++i) changes.emplace_back(std::move(names[i]), own_row_[i]);
      const SettingsRef held = shared_.sets.intern(with_changes(settings_, changes));
      const bool login = !logged_in_;
      become(held);
      if (login) startup_ = held;
      state_->settings = held;
      return;
    }
    case Own::ping: state_->fenced = false; return;
    case Own::sequences: fresh_ = false; return;
    case Own::channels: return on_channels();
    case Own::unlisten:
      pins_ &= ~Claim::listens;
      shown_listens_ = false;
      return release_ready();
    case Own::show_listen:
      pins_ |= Claim::listens;
      shown_listens_ = true;
      return;
    case Own::hub: return;
  }
}

ClientMachine::Pass ClientMachine::on_error_response(const protocol::Frame& frame) {
  const auto fields = protocol::decode_error_fields(frame.body);
  if (!fields.ok()) return Pass::broken;
  const bool fatal = protocol::ends_session(*fields);
  if (own_ != Own::none) {
    own_error_ = std::make_unique<ServerFields>(*fields);
    return Pass::drop;
  }
  if (state_->drained()) {
    // Whoever had nothing there does not notice.
    if (!fatal) return Pass::broken;
    if (survives_loss()) return Pass::drop;
    told_fatal_ = true;
    return Pass::pass;
  }
  if (again_ == Again::allowed && (fatal || fields->sqlstate == kSerializationFailure)) {
    again_ = Again::wanted;
  } else {
    told_fatal_ = told_fatal_ || fatal;
  }
  const bool ours = frame.body.find(shared_.interns.prefix()) != ByteView::npos;
  if (ours && fields->sqlstate == kInvalidStatementName) state_->forget_statements();
  // Its client may parse it anew, and gets what the text means now.
  if (fields->sqlstate == fleet::kMovedState) relocated_ = true;
  if (fields->sqlstate == kPlanChanged) shared_.interns.begin_epoch();
  Step& step = state_->head();
  refusal_told_ = step.refusal;
  const Pass pass = step.silent ? Pass::drop : ours || refusal_told_ ? Pass::rewrite_error : Pass::pass;
  copy_in_ = false;
  failed_ = true;
  switch (step.kind) {
    case Kind::query:
      step.failed = true;
      step.syntax_error = step.syntax_error || fields->sqlstate == kSyntaxError;
      break;
    case Kind::call:
    case Kind::sync: step.failed = true; break;
    default:
      if (!fatal) skip_to_sync();
      break;
  }
  return pass;
}

/// Commands behind whose tags nothing can have been written.
void ClientMachine::note_command(ByteView body) noexcept {
  if (listening_ && (body.starts_with("COMMIT") || body.starts_with("ROLLBACK"))) {
    end_tag_ = body.front();
    if (end_tag_ == 'R') listening_->ended(false);  // to a savepoint, perhaps
  }
  if (!watches_writes_ || wrote_ || use_ != Use::anything) return;
  constexpr std::array<std::string_view, 15> kHarmless{
      "BEGIN", "START TRANSACTION", "COMMIT",  "ROLLBACK",       "SAVEPOINT",    "RELEASE",  "SET",   "RESET",
      "SHOW",  "DEALLOCATE",        "PREPARE", "DECLARE CURSOR", "CLOSE CURSOR", "UNLISTEN", "LISTEN"};
  wrote_ = std::ranges::find(kHarmless, body.substr(0, body.find('\0'))) == kHarmless.end();
}

/// The server passes over everything up to the next Sync, and so does what the client has meant with it.
void ClientMachine::skip_to_sync() {
  const std::uint64_t from = state_->head_step();
  const Step& failed = state_->head();
  // What the session's unnamed statement is now. A Parse that fails takes it away.
  std::optional<InternRef> unnamed;
  if (failed.sets_unnamed) unnamed = InternRef();
  const bool parse_failed = failed.kind == Kind::parse && failed.intern && !failed.registers && !failed.hidden;
  while (!state_->drained() && state_->head().kind != Kind::sync) {
    Step& step = state_->head();
    if (step.registers && step.intern) state_->remove(*step.intern);
    if (step.sets_unnamed && !unnamed) unnamed = step.unnamed_before;
    state_->pop();
  }
  if (unnamed) {
    Step* later = state_->unnamed_setter();
    (later != nullptr ? later->unnamed_before : state_->unnamed) = *std::move(unnamed);
  }
  undo_changes(from, state_->head_step());
  // A Parse that fails takes the unnamed statement away.
  if (parse_failed) {
    const auto later = std::ranges::find_if(changes_, &Change::unnamed);
    if (later == changes_.end()) {
      unnamed_.reset();
    } else {
      later->before = InternRef();
    }
  }
  if (state_->drained()) {
    skip_ = Skip::server;
    group_open_ = true;
  } else {
    state_->head().failed = true;
  }
}

ClientMachine::Pass ClientMachine::on_ready(const protocol::Frame& frame) {
  if (frame.body.size() != 1) return Pass::broken;
  const char status = frame.body.front();
  Step step = std::move(state_->head());
  state_->pop();
  std::erase_if(changes_, [&](const Change& change) { return change.step < state_->head_step(); });
  status_ = status;
  copy_in_ = false;
  if (step.kind == Kind::query) after_query(step);
  if (step.hidden) return Pass::drop;
  // A part that fails is the end of what it belongs to.
  const bool told = !step.part || (step.failed && step.kind == Kind::query);
  if (told) ++answered_.queries;
  if (status == 'I') {
    if (told) ++answered_.transactions;
    answered_.wrote = std::exchange(wrote_, false) || answered_.wrote;
    used_ = use_ != Use::anything;
    const char tag = std::exchange(end_tag_, '\0');
    const bool failed = std::exchange(failed_, false);
    if (listening_) listening_->ended(tag == '\0' ? !failed : tag == 'C');
  }
  if (status != 'I') read_stage_ = ReadStage::inside;
  if (step.part) on_part_done(step, status);
  if (!told) return Pass::drop;
  if (any(pins_) || !unjudged_.empty()) ++answered_.pinned;
  if (set_again(status, Tells::yes)) return Pass::drop;
  if (status != 'I' || !std::exchange(fences_, false) || !state_->drained()) return Pass::pass;
  // A client hears what it has sent itself before it goes on.
  held_ready_ = status;
  own_ = Own::hub;
  asks_hub_ = true;
  wanted_channels_.clear();
  return Pass::drop;
}

/// The rest of what the client sent as one follows, unless this has failed.
void ClientMachine::on_part_done(const Step& step, char status) {
  if (step.failed) {
    if (step.kind == Kind::query) {
      drops_message_ = true;
    } else {
      skip_ = Skip::locally;
    }
  } else if (status == 'I') {
    (void)set_again(status, Tells::no);
  } else if (step.kind == Kind::sync) {
    group_open_ = true;
  }
}

void ClientMachine::after_query(Step& step) {
  // An error of syntax: nothing of the text ran.
  if (!step.text || (step.syntax_error && !step.completed)) return;
  const ClientText& text = *step.text;
  // One statement: it has happened, or it has not.
  if (step.failed && text.verb != TextVerb::other) return;
  apply(text);
  if (text.verb == TextVerb::prepare) names_[text.name] = nullptr;
  if (text.verb == TextVerb::deallocate) names_.erase(text.name);
}

/// The values of sequences stay on the session without holding the client there, until somebody else asks for his.
void ClientMachine::claim(Claim claims) noexcept {
  if (any(claims & Claim::sequences)) {
    state_->sequences_of = id_;
    if (!keeps_sequences_) claims &= ~Claim::sequences;
  }
  pins_ |= claims;
}

void ClientMachine::apply(const ClientText& text) {
  claim(text.claims);
  if (any(text.claims & kProvable) || text.may_end_claims) recheck_ = true;
  const auto touch = [&](const std::string& name) {
    if (std::ranges::find(touched_, name) == touched_.end()) touched_.push_back(name);
  };
  if (listening_) {
    for (const std::string& name : text.unlistens) listening_->unlisten(name);
  }
  for (const std::string& name : text.settings) touch(name);
  for (const std::string& name : text.resets) resets_.push_back(name);
  if (text.resets_all) {
    resets_all_ = true;
    if (settings_) {
      for (const auto& [name, value] : *settings_) touch(name);
    }
  }
  if (text.forgets_statements && text.verb != TextVerb::deallocate) {
    names_.clear();
    unnamed_.reset();
    state_->forget_statements();
    state_->unnamed.reset();
  }
  if (text.changes_catalogue) {
    catalogue_changed_ = true;
    shared_.interns.begin_epoch();
  }
  if (any(text.claims & Claim::custom)) state_->held_custom = true;
  if (text.judged) return;
  if (unjudged_.size() >= kMostUnjudged) judge_again();
  if (unjudged_.size() >= kMostUnjudged) {
    pins_ |= Claim::lasting;
  } else {
    unjudged_.push_back(text.sql);
  }
}

/// RESET goes back to what the startup packet said. True: the ReadyForQuery waits for that.
bool ClientMachine::set_again(char status, Tells tells) {
  if (resets_.empty() && !resets_all_) return false;
  const std::string text = set_again_text(startup_, resets_, resets_all_);
  resets_.clear();
  resets_all_ = false;
  if (text.empty() || status == 'E' || !state_->drained() || group_open_) return false;
  if (tells == Tells::yes) held_ready_ = status;
  begin_own(Own::set_again, text);
  return true;
}

void ClientMachine::on_parameter(const protocol::Frame& frame) {
  const auto status = protocol::ParameterStatus::decode(frame.body);
  if (!status.ok()) return;
  const std::pair<std::string, std::optional<std::string>> change(status->name, status->value);
  if (status->name == "standard_conforming_strings") escapes_ = status->value == "off";
  const bool in_step = parameters_ == state_->parameters;
  state_->parameters = shared_.sets.intern(with_changes(state_->parameters, {&change, 1}));
  if (own_ == Own::none || own_ == Own::set_again) {
    parameters_ = in_step ? state_->parameters : shared_.sets.intern(with_changes(parameters_, {&change, 1}));
  }
  if (own_ == Own::none && !state_->drained()) note_reported(status->name, status->value);
}

/// By a text that names it, by code that no text names (triggers and the like), or for everybody: what holds is
/// asked when the client is about to leave the session.
void ClientMachine::note_reported(std::string_view name, std::string_view value) {
  if (std::ranges::find(kNeverSet, name) != kNeverSet.end()) return;
  std::string folded = base::lowered(name);
  if (setting(folded) == value || std::ranges::find(reported_, folded) != reported_.end()) return;
  reported_.push_back(std::move(folded));
}

/// A client hears of what has changed since it was told.
void ClientMachine::tell_parameters(const SettingsRef& now) {
  if (parameters_ == now) return;
  if (now) {
    const auto found = std::ranges::find(*now, "standard_conforming_strings", &Settings::value_type::first);
    escapes_ = found != now->end() && found->second == "off";
  }
  if (now && logged_in_) {
    for (const auto& [name, value] : *now) {
      if (std::ranges::find(kOfThePlace, name) != kOfThePlace.end()) continue;
      const bool known =
          parameters_ && std::ranges::find(*parameters_, std::pair(name, value)) != parameters_->end();
      if (!known) (void)encode(client_out_, protocol::ParameterStatus{name, value});
    }
  }
  parameters_ = now;
}

/// The server waits for data. A Sync that was sent behind the Execute is passed over by it, up to the end of the
/// data.
void ClientMachine::on_copy_in() {
  copy_in_ = true;
  for (std::size_t i = 1;; ++i) {
    Step* step = state_->ahead(i);
    if (step == nullptr) break;
    if (step->kind == Kind::copy_end) {
      copy_in_ = false;
      return;
    }
    if (step->kind == Kind::sync) state_->ignore(*step);
  }
  if (state_->head().kind == Kind::execute) group_open_ = true;
}

/// Says what is answered here, as far as it is its turn.
void ClientMachine::advance() {
  while (!state_->drained() && is_local(state_->head().kind)) {
    const Kind kind = state_->head().kind;
    state_->pop();
    if (kind == Kind::own_parse_complete) (void)encode(client_out_, protocol::ParseComplete());
    if (kind == Kind::own_close_complete) (void)encode(client_out_, protocol::CloseComplete());
  }
  if (!changes_.empty()) {
    std::erase_if(changes_, [&](const Change& change) { return change.step < state_->head_step(); });
  }
}

void ClientMachine::ready(char status) {
  status_ = status;
  (void)encode(client_out_, protocol::ReadyForQuery{status});
}

/// A client knows itself by the process id that it was told.
void ClientMachine::pass_notification(const protocol::Frame& frame) {
  auto message = protocol::NotificationResponse::decode(frame.body);
  if (!message.ok()) return broken("a malformed notification");
  if (hub_ && listening_ && listening_->covers(message->channel)) return;  // the hub hears it as well
  if (message->process_id == server_pid_) message->process_id = static_cast<std::int32_t>(id_);
  (void)encode(client_out_, *message);
}

/// Statements are called as the client calls them.
void ClientMachine::pass_error(const protocol::Frame& frame) {
  if (const auto refusal = std::exchange(refusal_told_, nullptr)) {
    protocol::encode_error_response(client_out_, *refusal);
    return;
  }
  auto fields = protocol::decode_error_fields(frame.body);
  if (!fields.ok()) return;
  for (std::string* text : {&fields->message, &fields->detail, &fields->hint, &fields->where}) (void)rename(*text);
  protocol::encode_error_response(client_out_, *fields);
}

bool ClientMachine::rename(std::string& text) const {
  const std::string& prefix = shared_.interns.prefix();
  bool found = false;
  for (std::size_t at = 0; (at = text.find(prefix, at)) != std::string::npos;) {
    std::size_t end = at + prefix.size();
    while (end < text.size() && ((text[end] >= '0' && text[end] <= '9') || text[end] == '_')) ++end;
    std::string_view number = std::string_view(text).substr(at + prefix.size(), end - at - prefix.size());
    number = number.substr(0, number.find('_'));
    const std::string name = client_name(number);
    text.replace(at, end - at, name);
    at += name.size();
    found = true;
  }
  return found;
}

std::string ClientMachine::client_name(std::string_view number) const {
  for (const auto& [name, intern] : names_) {
    if (intern && std::to_string(intern->number) == number) return name;
  }
  for (const Change& change : changes_) {
    if (change.before && *change.before && std::to_string((*change.before)->number) == number) return change.name;
  }
  return {};
}

void ClientMachine::broken(std::string what) {
  end_ = State::server_broke;
  error_ = std::move(what);
}

}  // namespace switchyard::inline v0::gateway
