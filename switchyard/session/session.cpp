#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/session/canceller.hpp>
#include <switchyard/session/effects.hpp>
#include <switchyard/session/session_impl.hpp>
#include <switchyard/sql/facts_cache.hpp>
#include <switchyard/values/row.hpp>

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

namespace switchyard::inline v0::session {
namespace {

using Submitted = protocol::Pipeline::Submitted;

/// Back to the state after login, keeping prepared statements. Every name is qualified: a caller may have put a
/// schema of his own in front of pg_catalog.
constexpr std::string_view kReset =
    "SET SESSION AUTHORIZATION DEFAULT; RESET ROLE; RESET ALL; CLOSE ALL; UNLISTEN *; "
    "SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES";
constexpr std::string_view kRollbackAndReset =
    "ROLLBACK; SET SESSION AUTHORIZATION DEFAULT; RESET ROLE; RESET ALL; CLOSE ALL; UNLISTEN *; "
    "SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES";
constexpr std::string_view kPing = ";";

/// A reset or ping that takes longer closes the session.
constexpr Duration kInternalPatience = std::chrono::seconds(5);

constexpr std::string_view kInvalidStatementName = "26000";
constexpr std::string_view kSyntaxError = "42601";
constexpr std::string_view kFeatureNotSupported = "0A000";
/// The routine that reports "cached plan must not change result type".
constexpr std::string_view kRevalidate = "RevalidateCachedQuery";

/// Texts whose residue is asked again; with more of them a session is given up.
constexpr std::size_t kMaxUnjudged = 64;

/// After a reset a text that is not understood yet is asked for so often, at such intervals.
constexpr unsigned kMostLooks = 1000;
constexpr Duration kLookAgain = std::chrono::milliseconds(1);

/// COPY data of this size is worth a write of its own: the server works on it while more is made.
constexpr std::size_t kFlushCopyAt = 56 << 10;

/// A batch of this size is sent in pieces: the server begins while the rest is written.
constexpr std::size_t kFlushBatchAt = 32 << 10;

/// Bytes that each statement of a batch is answered with at least: BindComplete, and a CommandComplete with a tag
/// such as "UPDATE 0".
constexpr std::size_t kLeastAnswer = 5 + 5 + 9;
/// What a statement of a batch takes the server, about; an answer that stays away longer is taken as it comes.
constexpr Duration kUsualBatchStatement = std::chrono::microseconds(5);

/// A read buffer larger than this is given back when the session falls idle.
constexpr std::size_t kIdleBuffer = 256 << 10;

const std::shared_ptr<const protocol::RowDescription>& native_columns(PreparedStatement& statement) {
  if (!statement.native) {
    statement.native = with_formats(*statement.description, result_formats_for(*statement.description));
  }
  return statement.native;
}

}  // namespace

// ---- Session: the handle ----

Session::Session(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Session::~Session() {
  if (impl_) impl_->close();
}

void Session::set_owner(Owner* owner) noexcept { impl_->owner = owner; }
void Session::set_listener(Listener* listener) noexcept { impl_->listener = listener; }
void Session::run(OperationState& operation) noexcept { impl_->run(operation); }
void Session::abandon(OperationState& operation) noexcept { impl_->abandon(operation); }
void Session::cancel() noexcept { impl_->cancel(); }
protocol::Pipeline& Session::let(Tenant& tenant) noexcept {
  SY_ASSERT(idle());
  impl_->tenant_ = &tenant;
  return impl_->pipeline_;
}
void Session::let(Relay& relay) noexcept {
  SY_ASSERT(idle());
  impl_->relay_ = &relay;
}
void Session::end_relay() noexcept {
  SY_ASSERT(impl_->relay_ != nullptr && !impl_->cancel_);
  impl_->relay_ = nullptr;
  impl_->resume_reading();
}
base::WriteBuffer& Session::out() noexcept { return impl_->stream_->out(); }
void Session::flush_soon() noexcept {
  if (!impl_->closed_) impl_->stream_->flush_soon();
}
void Session::set_parameter(std::string_view name, std::string_view value) noexcept {
  impl_->on_parameter_status(name, value);
}
bool Session::cancelling() const noexcept { return impl_->cancel_ != nullptr; }
void Session::note(Residue residue) noexcept { impl_->residue_ = std::max(impl_->residue_, residue); }
void Session::note_statement(std::string_view sql) noexcept { impl_->note_residue(sql, impl_->judge(sql)); }
Session::Keepsake* Session::keepsake() const noexcept { return impl_->keepsake_.get(); }
void Session::set_keepsake(std::unique_ptr<Keepsake> keepsake) noexcept { impl_->keepsake_ = std::move(keepsake); }
void Session::each_parameter(
    const std::function<void(std::string_view name, std::string_view value)>& visit) const {
  for (const auto& [name, value] : impl_->parameters_) visit(name, value);
}
void Session::flush() noexcept {
  if (!impl_->closed_) impl_->stream_->flush_now();
}
TimePoint Session::opened() const noexcept { return impl_->opened_; }
bool Session::pristine() const noexcept { return impl_->pristine_ && !needs_reset(); }
void Session::start_reset() noexcept { impl_->start_reset(); }
void Session::start_ping() noexcept { impl_->start_internal(kPing); }
void Session::close() noexcept { impl_->close(); }
void Session::leave() noexcept { impl_->leave(); }
void Session::abort(const Error& reason) noexcept {
  if (impl_->closed_) return;
  impl_->say_goodbye();
  impl_->lose(reason.with_session_lost());
}
void Session::copy_data(base::WriteBuffer& message) noexcept { impl_->copy_data(message); }
void Session::copy_done() noexcept { impl_->copy_done(); }
void Session::copy_fail(std::string_view reason) noexcept { impl_->copy_fail(reason); }
void Session::pause_reading() noexcept { impl_->pause_reading(); }
void Session::resume_reading() noexcept { impl_->resume_reading(); }
std::size_t Session::unsent() const noexcept { return impl_->unsent(); }
bool Session::idle() const noexcept { return impl_->idle(); }
bool Session::closed() const noexcept { return impl_->closed_; }
char Session::transaction_status() const noexcept { return impl_->pipeline_.transaction_status(); }
bool Session::needs_reset() const noexcept { return impl_->needs_reset(); }
bool Session::must_close() const noexcept { return impl_->must_close(); }
void Session::mark_dirty() noexcept { impl_->dirty_ = true; }
std::int32_t Session::server_pid() const noexcept { return impl_->key_.process_id; }
const runtime::SocketAddress& Session::address() const noexcept { return impl_->address_; }
int Session::native_handle() const noexcept {
  return impl_->closed_ || !impl_->stream_ ? -1 : impl_->stream_->native_handle();
}
std::size_t Session::prepared_statements() const noexcept { return impl_->cache_.size(); }
std::string_view Session::endpoint() const noexcept { return impl_->endpoint_; }
bool Session::uses_tls() const noexcept { return impl_->stream_ && impl_->stream_->is_tls(); }

std::string_view Session::parameter(std::string_view name) const noexcept {
  const auto found = impl_->parameters_.find(name);
  return found == impl_->parameters_.end() ? std::string_view() : std::string_view(found->second);
}

int Session::server_version() const noexcept {
  // "15.20 (Debian ...)", "18.6", "19beta1": major * 10000 + minor.
  const std::string_view text = parameter("server_version");
  const char* end = text.data() + text.size();
  int major = 0;
  int minor = 0;
  const auto [dot, error] = std::from_chars(text.data(), end, major);
  if (error != std::errc()) return 0;
  if (dot != end && *dot == '.') std::from_chars(dot + 1, end, minor);
  return major * 10000 + minor;
}

bool Session::is_primary() const noexcept {
  return parameter("in_hot_standby") != "on" && parameter("default_transaction_read_only") != "on";
}

// ---- Impl ----

Session::Impl::Impl(Session& session, std::shared_ptr<const ConnectPlan> plan, Established established)
    : self(session),
      plan_(std::move(plan)),
      stream_(std::move(established.stream)),
      pipeline_(stream_->out()),
      cache_(plan_->settings.statement_cache_size),
      parameters_(std::move(established.parameters)),
      key_(std::move(established.key)),
      address_(std::move(established.address)),
      host_(std::move(established.host)),
      endpoint_(std::move(established.endpoint)),
      opened_(runtime::now()) {
  stream_->set_handler(this);
}

Session::Impl::~Impl() {
  if (cancel_) cancel_->impl = nullptr;
  if (destroyed_ != nullptr) *destroyed_ = true;
}

void Session::Impl::run(OperationState& operation) noexcept {
  SY_ASSERT(idle());
  operation.retain();
  operation.set_phase(OperationState::Phase::sent);
  operation.session = &self;
  current_ = &operation;
  detached_ = false;
  ran_again_ = false;
  // Unnamed statements are parsed each time: what an earlier description said may no longer hold.
  if (cache_.capacity() == 0) cache_.clear();
  if (auto refusal = check(operation)) {
    refuse(std::move(*refusal));
  } else {
    submit(operation);
  }
}

/// Nothing was sent: the operation ends with this turn, so that a queue of refused ones does not recurse.
void Session::Impl::refuse(Error error) noexcept {
  current_->note_error(std::move(error));
  refused_.schedule();
}

void Session::Impl::on_refused(void* impl) noexcept {
  auto& session = *static_cast<Impl*>(impl);
  if (session.current_ == nullptr) return;
  session.finish_operation();
  session.settle();
}

std::optional<Error> Session::Impl::check(const OperationState& operation) const {
  for (const StatementPart& part : operation.parts) {
    if (part.sql.find('\0') != std::string::npos) {
      return protocol::Pipeline::to_error(Submitted::contains_nul);
    }
  }
  return std::nullopt;
}

void Session::Impl::submit(OperationState& operation) noexcept {
  preparing_.clear();
  preparing_at_ = 0;
  used_cached_ = false;
  residue_before_ = residue_;
  unjudged_before_ = unjudged_.size();
  describing_ = false;
  followed_up_ = answered_ = false;
  measured_ = nullptr;
  guess_ = 0;
  Submitted submitted = Submitted::ok;
  if (operation.script) {
    const std::string& sql = operation.parts.front().sql;
    if (!operation.keeps_session_clean) {
      const std::optional<Residue> residue = judge(sql);
      note_residue(sql, residue);
      if (residue != Residue::none) forgets_statements_ = forgets_prepared_statements(sql);
    }
    submitted = pipeline_.query(sql, &query_sink_);
  } else {
    if (operation.parts.size() == 1 && !fits(operation)) return;
    const auto missing = std::ranges::count_if(operation.parts, [&](const StatementPart& part) {
      return cache_.find(part.sql, part.parameters.types()) == nullptr;
    });
    if (missing != 0) submitted = make_room(static_cast<std::size_t>(missing));
    for (const StatementPart& part : operation.parts) {
      if (submitted == Submitted::ok) submitted = submit_part(operation, part);
    }
    if (submitted == Submitted::ok) submitted = pipeline_.sync(&sync_sink_);
  }
  if (submitted == Submitted::ok) submitted = submit_follow_up(operation);
  if (submitted == Submitted::ok) {
    stream_->flush_soon();
    if (measured_ != nullptr) {
      expect_answer();
    } else if (!operation.repeats.empty()) {
      expect_batch(operation.repeats.size());
    }
    return;
  }
  // What was appended already can't be taken back, and must not take effect: the session ends before its Sync.
  operation.note_error(protocol::Pipeline::to_error(submitted).with_session_lost());
  lose(Error(ErrorKind::Closed, "the session was closed because a statement could not be encoded"));
}

Submitted Session::Impl::submit_follow_up(const OperationState& operation) noexcept {
  if (operation.follow_up.empty() || describing_) return Submitted::ok;
  followed_up_ = true;
  return pipeline_.query(operation.follow_up, &follow_up_sink_);
}

void Session::Impl::on_own_ready() noexcept {
  if (followed_up_ && !internal_) {
    answered_ = true;
    return;
  }
  ready_ = true;
  pipeline_.hold();
}

void Session::Impl::expect_answer() noexcept {
  answer_bytes_ = 0;
  submitted_ = runtime::now();
  guess_ = measured_->answer.bytes();
  if (guess_ != 0) stream_->expect(guess_, measured_->answer.patience());
}

/// Each statement of a batch is answered, mostly by a few bytes, and the server sends them 8 kB at a time.
void Session::Impl::expect_batch(std::size_t statements) noexcept {
  const std::size_t least = statements * kLeastAnswer;
  if (describing_ || least < AnswerForecast::kSmallestAnswer) return;
  guess_ = least;
  const Duration usual = kUsualBatchStatement * static_cast<std::int64_t>(statements);
  stream_->expect(least, std::clamp(usual, AnswerForecast::kShortestPatience, AnswerForecast::kLongestPatience));
}

/// The answer is complete.
void Session::Impl::note_answer() noexcept {
  if (guess_ != 0) stream_->expected_came();
  if (measured_ == nullptr) return;
  PreparedStatement& statement = *std::exchange(measured_, nullptr);
  if (current_ == nullptr || detached_ || current_->error()) return;
  statement.answer.note(answer_bytes_, runtime::now() - submitted_, guess_);
}

/// A known statement whose columns don't fit the expected type is refused before anything is sent.
bool Session::Impl::fits(OperationState& operation) noexcept {
  const StatementPart& part = operation.parts.front();
  const PreparedStatement* known = cache_.find(part.sql, part.parameters.types());
  if (known == nullptr || !known->description || operation.format != RowFormat::binary) return true;
  operation.on_describe(known->description);
  if (!operation.error()) return true;
  refused_.schedule();
  return false;
}

/// Closes statements that have to leave the cache before `wanted` new ones come.
Submitted Session::Impl::make_room(std::size_t wanted) noexcept {
  evicted_.clear();
  cache_.make_room(wanted, evicted_);
  for (const std::string& name : evicted_) {
    if (const Submitted closed = pipeline_.close_statement(name, nullptr); closed != Submitted::ok) return closed;
  }
  return Submitted::ok;
}

/// Closes all statements of the cache, one by one: those that the caller has PREPAREd are his.
void Session::Impl::drop_statements() noexcept {
  evicted_.clear();
  cache_.make_room(cache_.capacity(), evicted_);
  cache_.clear();
  for (const std::string& name : evicted_) (void)pipeline_.close_statement(name, nullptr);
  if (!evicted_.empty()) (void)pipeline_.sync(nullptr);
}

Submitted Session::Impl::prepare(const StatementPart& part, PreparedStatement*& prepared) {
  const std::span<const Oid> types = part.parameters.types();
  prepared = cache_.find(part.sql, types);
  if (prepared != nullptr) {
    if (prepared->described && cache_.capacity() != 0) {
      used_cached_ = true;
      return Submitted::ok;
    }
    // Prepared by an earlier part of this batch; the unnamed statement has to be parsed again.
    const bool in_this_group = std::ranges::find(preparing_, prepared) != preparing_.end();
    if (in_this_group && cache_.capacity() != 0) return Submitted::ok;
  } else {
    prepared = &cache_.add(part.sql, types);
    prepared->residue = judge(part.sql);
    prepared->forgets_statements = prepared->residue != Residue::none && forgets_prepared_statements(part.sql);
  }
  preparing_.push_back(prepared);
  const Submitted parsed = pipeline_.parse(prepared->name, part.sql, types, &prepare_sink_);
  if (parsed != Submitted::ok) return parsed;
  return pipeline_.describe_statement(prepared->name, &prepare_sink_);
}

Submitted Session::Impl::submit_part(OperationState& operation, const StatementPart& part) {
  PreparedStatement* prepared = nullptr;
  if (const Submitted submitted = prepare(part, prepared); submitted != Submitted::ok) return submitted;
  if (prepared->residue != Residue::none) {
    if (!prepared->residue) prepared->residue = judge(part.sql);
    note_residue(part.sql, prepared->residue);
    forgets_statements_ = forgets_statements_ || prepared->forgets_statements;
  }
  if (operation.format == RowFormat::native && !prepared->described) {
    // Which columns can be rendered from binary is known only once they are described.
    describing_ = true;
  }
  if (describing_) return Submitted::ok;

  std::span<const std::int16_t> formats = protocol::kAllText;
  if (operation.format == RowFormat::binary) formats = protocol::kAllBinary;
  if (operation.format == RowFormat::native && prepared->description) {
    const auto& columns = native_columns(*prepared);
    operation.on_describe(columns);
    formats_.clear();
    for (const protocol::FieldDescription& field : columns->fields()) formats_.push_back(field.format);
    formats = formats_;
  }
  int columns = protocol::kAnyColumns;
  if (prepared->described && prepared->description) columns = static_cast<int>(prepared->description->size());

  const auto bind = [&](const Parameters& parameters) {
    return pipeline_.bind_execute(
        prepared->name,
        protocol::BindArguments{
            .formats = parameters.formats(), .count = parameters.size(), .values = parameters.value_bytes()},
        formats, &operation, columns);
  };
  if (operation.takes_whole_answer && prepared->described) measured_ = prepared;
  Submitted submitted = bind(part.parameters);
  for (std::size_t i = 0; i < operation.repeats.size() && submitted == Submitted::ok; ++i) {
    submitted = bind(operation.repeats[i]);
    if (stream_->unsent() >= kFlushBatchAt) stream_->flush_now();
  }
  return submitted;
}

void Session::Impl::abandon(OperationState& operation) noexcept {
  if (current_ != &operation || detached_) return;
  detached_ = true;
  pipeline_.abandon(&operation);
  resume_reading();
  if (!refused_.scheduled() && !operation.uncancellable) cancel();
}

void Session::Impl::cancel() noexcept {
  if (closed_ || cancel_ || (current_ == nullptr && tenant_ == nullptr && relay_ == nullptr)) return;
  stream_->stop_expecting();
  cancel_ = std::make_shared<CancelTicket>(CancelTicket{this});
  patience_.arm(deadline_after(runtime::now(), kCancelPatience));
  spawn(send_cancel(cancel_, plan_, address_, host_, key_,
                    stream_->is_tls() ? CancelTransport::tls : CancelTransport::plain));
}

Task<void> Session::Impl::send_cancel(std::shared_ptr<CancelTicket> ticket, std::shared_ptr<const ConnectPlan> plan,
                                      runtime::SocketAddress address, HostSpec host, protocol::BackendKey key,
                                      CancelTransport transport) {
  co_await request_cancel(std::move(plan), std::move(address), std::move(host), std::move(key), transport);
  if (ticket->impl != nullptr) {
    ticket->impl->cancel_.reset();
    ticket->impl->on_cancel_settled();
  }
}

void Session::Impl::on_cancel_settled() noexcept {
  if (relay_ != nullptr) {
    patience_.disarm();
    return relay_->on_cancel_settled();
  }
  if (tenant_ == nullptr) return settle();
  patience_.disarm();  // how long the answer may take is the tenant's affair
  tenant_->on_cancel_settled();
}

void Session::Impl::on_patience(void* impl) noexcept {
  auto& session = *static_cast<Impl*>(impl);
  if (session.looks_ != 0) return session.on_reset_answered();
  const char* reason = session.internal_ ? "the server did not answer a reset or ping within 5s"
                                         : "the server did not answer a cancel request within 1s";
  session.lose(Error(ErrorKind::Unavailable, reason).with_session_lost());
}

// ---- what stays on the session ----

std::optional<Residue> Session::Impl::judge(std::string_view sql) {
  if (leaves_nothing(sql)) return Residue::none;
  sql::FactsCache& cache = sql::FactsCache::of_process();
  if (const auto facts = cache.find(sql)) return residue_of(*facts, plan_->settings.harmless_functions);
  cache.want(sql);
  return std::nullopt;
}

void Session::Impl::note_residue(std::string_view sql, std::optional<Residue> known) {
  if (known) {
    residue_ = std::max(residue_, *known);
    return;
  }
  if (std::ranges::find(unjudged_, sql) != unjudged_.end()) return;
  if (unjudged_.size() >= kMaxUnjudged) judge_again();
  if (unjudged_.size() >= kMaxUnjudged) {
    residue_ = Residue::lasting;
  } else {
    unjudged_.emplace_back(sql);
  }
}

void Session::Impl::judge_again() noexcept {
  std::erase_if(unjudged_, [this](const std::string& sql) {
    const std::optional<Residue> known = judge(sql);
    if (known) residue_ = std::max(residue_, *known);
    return known.has_value();
  });
  unjudged_before_ = std::min(unjudged_before_, unjudged_.size());
}

void Session::Impl::forget_residue() noexcept {
  residue_ = residue_before_;
  if (unjudged_.size() > unjudged_before_) unjudged_.resize(unjudged_before_);
}

bool Session::Impl::needs_reset() noexcept {
  if (!unjudged_.empty()) judge_again();
  return dirty_ || residue_ != Residue::none || !unjudged_.empty() || pipeline_.transaction_status() != 'I';
}

bool Session::Impl::must_close() noexcept {
  if (!unjudged_.empty()) judge_again();
  // The proof would fail for a superuser.
  return residue_ == Residue::lasting ||
         (residue_ == Residue::unknown_code && self.parameter("is_superuser") == "on");
}

void Session::Impl::start_reset() noexcept {
  pristine_ = proven_ = false;
  resetting_ = true;
  start_internal(pipeline_.transaction_status() == 'I' ? kReset : kRollbackAndReset);
}

/// What ran is understood by now, as a rule: the parser had the time of a round trip. Else the session waits for
/// it; nobody gets it before.
void Session::Impl::on_reset_answered() noexcept {
  const bool refuted = std::exchange(proving_, false) && !proven_;
  const bool hopeless = must_close() || looks_ == kMostLooks || refuted;
  if (!hopeless && !unjudged_.empty()) {
    ++looks_;
    internal_ = resetting_ = true;
    patience_.arm(deadline_after(runtime::now(), kLookAgain));
    return;
  }
  internal_ = resetting_ = false;
  looks_ = 0;
  if (!hopeless && residue_ == Residue::unknown_code && !proven_) {
    resetting_ = proving_ = true;
    start_internal(clean_proof_sql());
    return;
  }
  if (hopeless) {
    say_goodbye();
    lose(Error(ErrorKind::Closed, "the session was closed: a reset does not undo what ran on it")
             .with_session_lost());
    return;
  }
  dirty_ = false;
  residue_ = Residue::none;
  if (owner != nullptr) owner->on_idle(self);
}

void Session::Impl::start_internal(std::string_view sql) noexcept {
  SY_ASSERT(idle());
  internal_ = true;
  internal_failed_ = false;
  if (pipeline_.query(sql, &query_sink_) != Submitted::ok) {
    lose(Error(ErrorKind::Closed, "the session could not be reset"));
    return;
  }
  patience_.arm(deadline_after(runtime::now(), kInternalPatience));
  stream_->flush_soon();
}

void Session::Impl::copy_data(base::WriteBuffer& message) noexcept {
  if (closed_) return;
  const Submitted submitted = pipeline_.copy_data_message(message);
  message.clear();
  if (submitted == Submitted::out_of_memory || submitted == Submitted::message_too_large) {
    lose(protocol::Pipeline::to_error(submitted).with_context("COPY data could not be sent"));
    return;
  }
  // A writer that never waits would fill the buffer within one turn.
  if (stream_->unsent() >= kFlushCopyAt) {
    stream_->flush_now();
  } else {
    stream_->flush_soon();
  }
}

void Session::Impl::copy_done() noexcept {
  if (closed_) return;
  (void)pipeline_.copy_done();
  stream_->flush_soon();
}

void Session::Impl::copy_fail(std::string_view reason) noexcept {
  if (closed_) return;
  (void)pipeline_.copy_fail(reason);
  stream_->flush_soon();
}

void Session::Impl::pause_reading() noexcept {
  if (closed_ || paused_) return;
  paused_ = true;
  pipeline_.hold();
  stream_->pause_reading();
}

void Session::Impl::resume_reading() noexcept {
  if (closed_ || !paused_) return;
  paused_ = false;
  stream_->resume_reading();
}

std::size_t Session::Impl::unsent() const noexcept { return closed_ ? 0 : stream_->unsent(); }

void Session::Impl::say_goodbye() noexcept {
  pipeline_.terminate();
  stream_->flush_now();
}

void Session::Impl::close() noexcept {
  if (closed_) return;
  owner = nullptr;
  tenant_ = nullptr;
  relay_ = nullptr;
  say_goodbye();
  lose(Error(ErrorKind::Closed, "the session was closed"));
}

/// A backend gives its place back before its socket closes (manual, chapter 55.2.10).
void Session::Impl::leave() noexcept {
  if (closed_ || leaving_) return;
  leaving_ = true;
  say_goodbye();
  resume_reading();
}

/// The end, whoever caused it. Tells the owner last: the session may be destroyed there.
void Session::Impl::lose(const Error& error) noexcept {
  if (closed_) return;
  closed_ = true;
  patience_.disarm();
  if (cancel_) cancel_->impl = nullptr;
  cancel_.reset();
  stream_->close();
  pipeline_.on_closed(error);
  if (current_ != nullptr) {
    // A refused operation was never sent; one whose own answer is complete has not lost it.
    if (!refused_.scheduled() && !answered_) current_->OperationState::on_lost(error);
    finish_operation();
  }
  internal_ = resetting_ = proving_ = false;
  if (relay_ != nullptr) std::exchange(relay_, nullptr)->on_lost(error);
  if (tenant_ != nullptr) {
    std::exchange(tenant_, nullptr)->on_lost(error);
    return;
  }
  if (owner != nullptr) owner->on_closed(self, error);
}

void Session::Impl::on_data(base::ReadBuffer& in) noexcept {
  if (leaving_) return in.clear();
  if (relay_ != nullptr) return relay_->on_bytes(in);
  bool destroyed = false;
  destroyed_ = &destroyed;
  while (!closed_ && !paused_) {
    const std::size_t before = in.size();
    const protocol::Pipeline::Outcome outcome = pipeline_.on_bytes(in, *this);
    answer_bytes_ += before - in.size();
    if (outcome != protocol::Pipeline::Outcome::ok) {
      destroyed_ = nullptr;
      lose(pipeline_.error()->with_session_lost());
      return;
    }
    if (tenant_ != nullptr) {
      if (in.size() == 0) in.shrink(kIdleBuffer);
      destroyed_ = nullptr;
      tenant_->on_answers();
      return;
    }
    if (!ready_) break;
    ready_ = false;
    if (in.size() == 0) in.shrink(kIdleBuffer);
    on_group_ready();
    if (destroyed) return;
  }
  destroyed_ = nullptr;
}

void Session::Impl::on_closed(const Error& error) noexcept { lose(error.with_session_lost()); }

void Session::Impl::on_drained() noexcept {
  if (relay_ != nullptr) return relay_->on_sent();
  if (current_ != nullptr && !detached_) current_->on_drained();
}

void Session::Impl::on_notice(const ServerFields& fields) noexcept {
  if (tenant_ != nullptr) tenant_->on_notice(fields);
  if (listener != nullptr) listener->on_notice(fields);
}

void Session::Impl::on_parameter_status(std::string_view name, std::string_view value) noexcept {
  const auto found = parameters_.find(name);
  if (found != parameters_.end()) {
    found->second.assign(value);
  } else {
    parameters_.emplace(name, value);
  }
  if (tenant_ != nullptr) tenant_->on_parameter_changed(name);
}

void Session::Impl::on_notification(std::int32_t process_id, std::string_view channel,
                                    std::string_view payload) noexcept {
  if (listener != nullptr) listener->on_notification(process_id, channel, payload);
}

bool Session::Impl::should_run_again(const OperationState& operation) const noexcept {
  if (!operation.error() || detached_ || ran_again_ || !used_cached_ || operation.in_transaction ||
      operation.saw_row() || operation.script || pipeline_.transaction_status() != 'I') {
    return false;
  }
  const ServerFields* fields = operation.error()->server();
  if (fields == nullptr) return false;
  return fields->sqlstate == kInvalidStatementName ||
         (fields->sqlstate == kFeatureNotSupported && fields->routine == kRevalidate);
}

void Session::Impl::on_group_ready() noexcept {
  if (internal_) {
    patience_.disarm();
    internal_ = false;
    if (internal_failed_) {
      lose(Error(ErrorKind::Closed, "the session could not be reset").with_session_lost());
      return;
    }
    if (resetting_) return on_reset_answered();
    if (owner != nullptr) owner->on_idle(self);
    return;
  }
  note_answer();
  if (current_ == nullptr) return;
  OperationState& operation = *current_;

  // A statement that failed before its Parse was confirmed is not prepared.
  for (std::size_t i = preparing_at_; i < preparing_.size(); ++i) cache_.remove(preparing_[i]);
  if (describing_ && !operation.error() && !detached_) {
    submit(operation);
    return;
  }
  const ServerFields* fields = operation.error() ? operation.error()->server() : nullptr;
  if (fields != nullptr && used_cached_ &&
      (fields->sqlstate == kInvalidStatementName || fields->routine == kRevalidate)) {
    // The server's statement is gone or changed its result: nothing of the cache is trusted any more.
    const bool again = should_run_again(operation);
    drop_statements();
    if (again) {
      ran_again_ = true;
      operation.restart();
      submit(operation);
      return;
    }
    stream_->flush_soon();
  }
  if (fields != nullptr && fields->sqlstate == kSyntaxError && fields->where.empty() &&
      fields->internal_query.empty() && operation.parts.size() == 1) {
    forget_residue();
  }
  if (forgets_statements_) {
    cache_.clear();
    keepsake_.reset();
    forgets_statements_ = false;
  }
  finish_operation();
  settle();
}

void Session::Impl::finish_operation() noexcept {
  OperationState& operation = *std::exchange(current_, nullptr);
  operation.session = nullptr;
  if (!detached_) operation.finish();
  operation.release();
  settling_ = true;
}

/// Tells the owner once answer and cancel request are both through: before that a cancel could hit the next
/// statement.
void Session::Impl::settle() noexcept {
  if (closed_ || current_ != nullptr || !settling_ || cancel_) return;
  settling_ = false;
  patience_.disarm();
  if (owner != nullptr) owner->on_idle(self);
}

// ---- sinks ----

void Session::Impl::PrepareSink::on_row_description(
    std::shared_ptr<const protocol::RowDescription> description) noexcept {
  PreparedStatement& prepared = *impl.preparing_[impl.preparing_at_++];
  prepared.description = std::move(description);
  prepared.native.reset();
  prepared.described = true;
  if (impl.current_ != nullptr && !impl.detached_ && impl.current_->format == RowFormat::binary) {
    impl.current_->on_describe(prepared.description);
  }
}

void Session::Impl::PrepareSink::on_no_data() noexcept { impl.preparing_[impl.preparing_at_++]->described = true; }

void Session::Impl::PrepareSink::on_error(const ServerFields& fields) noexcept {
  if (impl.current_ != nullptr && !impl.detached_) impl.current_->on_error(fields);
}

void Session::Impl::PrepareSink::on_lost(const Error& /*error*/) noexcept {}

void Session::Impl::SyncSink::on_error(const ServerFields& fields) noexcept {
  if (impl.current_ != nullptr && !impl.detached_) impl.current_->on_error(fields);
}

void Session::Impl::SyncSink::on_ready(char /*status*/) noexcept { impl.on_own_ready(); }

void Session::Impl::SyncSink::on_lost(const Error& /*error*/) noexcept {}

void Session::Impl::QuerySink::on_row_description(
    std::shared_ptr<const protocol::RowDescription> description) noexcept {
  if (impl.current_ != nullptr && !impl.detached_) impl.current_->on_describe(description);
}
void Session::Impl::QuerySink::on_row(protocol::RowView row) noexcept {
  if (impl.internal_) impl.proven_ = impl.proving_ && row[0].bytes() == "t";
  if (impl.current_ != nullptr && !impl.detached_) impl.current_->on_row(row);
}
void Session::Impl::QuerySink::on_command_complete(std::string_view tag) noexcept {
  if (impl.current_ != nullptr && !impl.detached_) impl.current_->on_command_complete(tag);
}
void Session::Impl::QuerySink::on_copy_in(const protocol::CopyFormat& format) noexcept {
  if (impl.current_ != nullptr && !impl.detached_) {
    impl.current_->on_copy_in(format);
  } else {
    (void)impl.pipeline_.copy_fail("the caller is gone");
    impl.stream_->flush_soon();
  }
}
void Session::Impl::QuerySink::on_copy_out(const protocol::CopyFormat& format) noexcept {
  if (impl.current_ != nullptr && !impl.detached_) impl.current_->on_copy_out(format);
}
void Session::Impl::QuerySink::on_copy_data(ByteView data) noexcept {
  if (impl.current_ != nullptr && !impl.detached_) impl.current_->on_copy_data(data);
}
void Session::Impl::QuerySink::on_copy_done() noexcept {
  if (impl.current_ != nullptr && !impl.detached_) impl.current_->on_copy_done();
}
void Session::Impl::QuerySink::on_error(const ServerFields& fields) noexcept {
  if (impl.internal_) {
    impl.internal_failed_ = true;
  } else if (impl.current_ != nullptr && !impl.detached_) {
    impl.current_->on_error(fields);
  }
}
void Session::Impl::QuerySink::on_ready(char /*status*/) noexcept { impl.on_own_ready(); }
void Session::Impl::QuerySink::on_lost(const Error& /*error*/) noexcept {}

void Session::Impl::FollowUpSink::on_row(protocol::RowView row) noexcept {
  if (impl.current_ == nullptr || impl.detached_ || !impl.current_->follow_up_answer.empty()) return;
  impl.current_->follow_up_answer.assign(row[0].bytes());
}
void Session::Impl::FollowUpSink::on_error(const ServerFields& /*fields*/) noexcept {}
void Session::Impl::FollowUpSink::on_ready(char /*status*/) noexcept {
  impl.followed_up_ = false;
  impl.ready_ = true;
  impl.pipeline_.hold();
}
void Session::Impl::FollowUpSink::on_lost(const Error& /*error*/) noexcept {}

}  // namespace switchyard::inline v0::session
