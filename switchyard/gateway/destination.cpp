#include <switchyard/gateway/destination.hpp>

#include <switchyard/base/units.hpp>
#include <switchyard/fleet/endpoint.hpp>
#include <switchyard/fleet/owner_guard.hpp>
#include <switchyard/fleet/request_context.hpp>
#include <switchyard/fleet/route.hpp>
#include <switchyard/fleet/transaction.hpp>
#include <switchyard/gateway/refusal.hpp>
#include <switchyard/protocol/crypto.hpp>
#include <switchyard/protocol/error_fields.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <algorithm>
#include <array>
#include <new>
#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

/// A session that no client wants goes back to its pool after this.
constexpr Duration kLinger = std::chrono::seconds(1);
/// Sessions see their pool again after this at the latest: it knows how old they may become.
constexpr Duration kLongestStay = std::chrono::seconds(10);
/// So often it is looked whether somebody else wants a session that is at hand.
constexpr Duration kSweep = std::chrono::milliseconds(20);
/// So often those who may find another way than a session are asked whether they have, until they have...
constexpr Duration kOtherWays = std::chrono::milliseconds(5);
/// ... so many of them in one turn, and no more once so many have not.
constexpr std::size_t kMostLeaving = 256;
constexpr std::size_t kMostHopeless = 4;
/// Sessions that are asked for at a time.
constexpr std::uint32_t kMostAcquiring = 16;
/// What clients are told at login is asked again after this.
constexpr Duration kLoginAge = std::chrono::seconds(60);
constexpr std::size_t kMostLogins = 256;
/// The pool's own limit ends a wait first, and says more.
constexpr Duration kPoolsTurn = std::chrono::milliseconds(100);
/// Sessions at hand that are looked at for one that fits best.
constexpr std::size_t kMostLooks = 16;

/// Names of prepared statements begin with it; nobody can foresee them.
std::string random_prefix() {
  std::string prefix = "sw_";
  const auto random = protocol::crypto::random_bytes(6);
  constexpr std::string_view kDigits = "abcdefghijklmnopqrstuvwxyz012345";
  for (const char c : random.value_or("gateway")) prefix += kDigits[static_cast<unsigned char>(c) % kDigits.size()];
  return prefix + "_";
}

}  // namespace

bool has_replicas(const DatabaseConfig& database) noexcept {
  return database.configured() && std::ranges::any_of(database.replicas, [](const ReplicaConfig& replica) {
           return replica.endpoint.configured();
         });
}

std::string_view Destination::base_name(const FleetConfig& fleet, std::string_view database) noexcept {
  constexpr std::string_view kReplica = "_replica";
  const std::string_view name = database.substr(0, database.find(':'));
  if (fleet.find(name) == nullptr && name.ends_with(kReplica)) return name.substr(0, name.size() - kReplica.size());
  return name;
}

Destination::Destination(Fleet& fleet, std::string database, Options options)
    : fleet_(fleet),
      database_(std::move(database)),
      options_(std::move(options)),
      owns_house_(options_.house == nullptr),
      house_(owns_house_ ? std::make_shared<StatementHouse>(random_prefix()) : options_.house) {
  const std::string_view name = base_name(fleet.config(), database_);
  const DatabaseConfig* config = fleet.config().find(name);
  chooses_ = config != nullptr && name != database_ && has_replicas(*config);
  may_listen_ = config != nullptr && name == database_ && config->configured() && *config->pool.max > 1;
  if (config != nullptr) {
    acquire_timeout_ = *config->pool.acquire_timeout;
    harmless_ = *config->lane_safe;
    if (!config->configured() && config->has_stand_in()) config = fleet.config().find(*config->when_unconfigured);
    if (config != nullptr && config->configured()) role_ = config->primary.connection.user;
  }
  turns_ = std::make_shared<Turns>(Turns{this, &runtime::Shard::current(), nullptr});
  turns_->claim = options_.shares->open(options_.user, options_.fleet_database, [turns = std::weak_ptr(turns_)] {
    // Under the lock of the shares: the shard is there as long as the claim is open.
    if (const auto known = turns.lock()) {
      known->shard->post([known] {
        if (known->destination != nullptr) known->destination->on_turn();
      });
    }
  });
  if (options_.owners != nullptr) {
    refuses_ = [guard = options_.owners,
                owner = options_.fleet_database](std::string_view sql) -> std::optional<ServerFields> {
      const fleet::OwnerMap::Verdict* verdict = guard->refusal(owner, sql);
      if (verdict == nullptr) return std::nullopt;
      ServerFields fields = protocol::make_fields("ERROR", "42P01", verdict->problem);
      fields.hint = verdict->hint;
      return fields;
    };
  }
}

SharedStatements Destination::statements() noexcept {
  SharedStatements shared{house_->interns, house_->sets, harmless_, max_prepared_};
  if (may_listen_) shared.senders = &house_->senders;
  if (refuses_) shared.refuses = &refuses_;
  return shared;
}

Destination::~Destination() {
  turns_->destination = nullptr;
  options_.shares->close(*turns_->claim);
  acquisitions_.clear();
  for (const auto& link : links_) link->abort(Error(ErrorKind::Closed, "the gateway has ended"));
}

// ---- sessions ----

ServerLink* Destination::take(std::uint32_t client, const session::CallContext& call) noexcept {
  if (idle_.empty() || waiting_ != 0) return nullptr;
  fleet::Choice choice;
  if (chooses_) choice = choose(call);
  const fleet::Endpoint* const only = choice.endpoint;
  if (chooses_ && only == nullptr) return nullptr;
  std::optional<std::size_t> best;
  bool spare = false;  // it is somebody's who would miss it
  for (std::size_t i = idle_.size(), looks = 0; i-- > 0 && looks < kMostLooks; ++looks) {
    if (only != nullptr && !idle_[i]->is_at(*only)) continue;
    const SessionState& state = idle_[i]->state();
    if (state.last_user == client) {
      best = i;
      break;
    }
    const bool left_alone = state.sequences_of != 0 && state.sequences_of != client;
    if (!best || (spare && !left_alone)) {
      best = i;
      spare = left_alone;
    }
  }
  if (!best) return nullptr;
  const bool counted = options_.shares->active();
  if (counted && !options_.shares->try_take(*turns_->claim)) return nullptr;
  ServerLink* link = idle_[*best];
  idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(*best));
  link->counted = counted;
  if (chooses_) link->why = choice.reason;
  return link;
}

fleet::Choice Destination::choose(const session::CallContext& call) noexcept {
  const DatabaseHandle* const handle = database();
  if (handle == nullptr || handle->plain_route().refusal() != nullptr) return {};
  const TimePoint now = runtime::now();
  fleet::Route& route = handle->plain_route();
  return route.chooser().choose({.context = static_cast<fleet::RequestContext*>(call.request.get()),
                                 .access = route.access(),
                                 .started = now,
                                 .now = now});
}

void Destination::wait(Waiter& waiter, session::CallContext call, Hope hope) noexcept {
  waiter.since_ = runtime::now();
  waiter.call_ = std::move(call);
  line_.push_back(static_cast<PlaceInLine&>(waiter));
  ++waiting_;
  if (hope == Hope::another_way) {
    hopers_.push_back(static_cast<PlaceOfHope&>(waiter));
    if (!other_ways_.armed()) other_ways_.arm(deadline_after(waiter.since_, kOtherWays));
  }
  arm_deadline();
  waiter.asks_ = options_.shares->active();
  if (waiter.asks_) {
    ++asking_;
    if (!options_.shares->wait(*turns_->claim)) return;
  }
  on_turn();
}

void Destination::on_turn() noexcept {
  for (std::size_t i = chooses_ ? idle_.size() : 0; i-- > 0 && waiting_ != 0;) {
    ServerLink& link = *idle_[i];
    if (pick_waiter(link) == nullptr) continue;
    idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(i));
    hand_out(link);
    i = std::min(i, idle_.size());
  }
  if (!chooses_ && !idle_.empty() && waiting_ != 0) {
    ServerLink& link = *idle_.back();
    idle_.pop_back();
    hand_out(link);
  }
  acquire_more();
}

void Destination::withdraw(Waiter& waiter) noexcept {
  if (!waiter.waiting()) return;
  leave_line(waiter);
  drop_acquisitions();
}

void Destination::let_leave() noexcept {
  std::size_t left = 0;
  std::size_t hopeless = 0;
  runtime::Link* after = nullptr;
  for (runtime::Link* place = hopers_.front(); place != nullptr; place = after) {
    if (left == kMostLeaving || hopeless == kMostHopeless) break;
    after = hopers_.next(*place);
    Waiter& waiter = static_cast<Waiter&>(static_cast<PlaceOfHope&>(*place));
    switch (waiter.take_other_way()) {
      case OtherWay::taken:
        leave_line(waiter);
        ++left;
        break;
      case OtherWay::not_yet: ++hopeless; break;
      case OtherWay::none: place->unlink(); break;
    }
  }
  if (left != 0) drop_acquisitions();
  if (!hopers_.empty()) {
    const TimePoint now = runtime::now();
    other_ways_.arm(left == kMostLeaving ? now : deadline_after(now, kOtherWays));
  }
}

void Destination::on_other_ways(void* self) noexcept { static_cast<Destination*>(self)->let_leave(); }

void Destination::leave_line(Waiter& waiter) noexcept {
  static_cast<PlaceInLine&>(waiter).unlink();
  static_cast<PlaceOfHope&>(waiter).unlink();
  waiter.call_ = {};
  --waiting_;
  if (chooses_) drop_acquisition(waiter);
  if (!std::exchange(waiter.asks_, false)) return;
  --asking_;
  options_.shares->withdraw(*turns_->claim);
}

std::size_t Destination::ready() const noexcept {
  if (asking_ == 0) return waiting_;
  return waiting_ - asking_ + std::min<std::size_t>(asking_, options_.shares->granted(*turns_->claim));
}

bool Destination::uncount(ServerLink& link) noexcept {
  return std::exchange(link.counted, false) && options_.shares->give_back(*turns_->claim);
}

void Destination::give(ServerLink& link) noexcept {
  link.set_user(nullptr);
  // Limits are those of sessions that are open as well, as far as they are wanted elsewhere.
  if (uncount(link) && link.session() != nullptr) {
    return end(link, Error(ErrorKind::Closed, "the place is another's"));
  }
  if (link.session() == nullptr) return bury(link);
  link.session()->resume_reading();
  if (link.leaves || link.state().held_custom || others_wait(link) || runtime::now() - link.since >= kLongestStay) {
    return dismiss(link, Claim::none, {});
  }
  hand_out(link);
}

Destination::Waiter* Destination::pick_waiter(ServerLink& link) noexcept {
  std::size_t looks = 0;
  for (Waiter* waiter = first(); waiter != nullptr; waiter = next(*waiter)) {
    if (!chooses_) return waiter;
    if (const fleet::Choice to = choose(waiter->call_); to.endpoint != nullptr && link.is_at(*to.endpoint)) {
      link.why = to.reason;
      return waiter;
    }
    if (++looks == kMostLooks) break;
  }
  return nullptr;
}

bool Destination::grant(Waiter& waiter, ServerLink& link) noexcept {
  if (waiter.asks_ && !options_.shares->take_granted(*turns_->claim)) return false;
  link.counted = std::exchange(waiter.asks_, false);
  asking_ -= link.counted ? 1 : 0;
  return true;
}

void Destination::hand_out(ServerLink& link) noexcept {
  let_leave();
  if (Waiter* waiter = pick_waiter(link); waiter != nullptr && grant(*waiter, link)) {
    leave_line(*waiter);
    drop_acquisitions();
    fleet::Route& route = link.channel().route();
    if (route.refusal() == nullptr) {
      link.channel().endpoint().recorder().acquired(route.access(), runtime::now() - waiter->since_,
                                                    route.limits().slow);
    }
    waiter->on_link(link);
    if (chooses_) bury_.schedule();
    return;
  }
  lay_down(link);
}

void Destination::lay_down(ServerLink& link) noexcept {
  link.idle_since = runtime::now();
  idle_.push_back(&link);
  arm_sweep();
}

void Destination::arm_sweep() noexcept {
  if (!sweep_.armed()) sweep_.arm(deadline_after(runtime::now(), kSweep));
}

void Destination::dismiss(ServerLink& link, Claim claims, std::span<const std::string> texts) noexcept {
  uncount(link);
  std::erase(idle_, &link);
  link.give_back(claims, texts);
  bury(link);
  acquire_more();
}

void Destination::end(ServerLink& link, const Error& reason) noexcept {
  uncount(link);
  std::erase(idle_, &link);
  link.abort(reason);
  bury(link);
  acquire_more();
}

void Destination::on_lost(ServerLink& link) noexcept {
  uncount(link);
  std::erase(idle_, &link);
  bury(link);
  acquire_more();
}

/// They may be in the middle of a call.
void Destination::bury(ServerLink& link) noexcept {
  const auto found = std::ranges::find(links_, &link, &std::unique_ptr<ServerLink>::get);
  if (found == links_.end()) return;
  dead_.push_back(std::move(*found));
  links_.erase(found);
  bury_.schedule();
}

void Destination::on_bury(void* self) noexcept {
  auto& here = *static_cast<Destination*>(self);
  here.dead_.clear();
  std::erase_if(here.acquisitions_, [](const auto& acquisition) { return acquisition->done; });
  if (here.chooses_ && here.waiting_ != 0) here.acquire_for_each();
}

bool Destination::others_wait(const ServerLink& link) const noexcept {
  if (link.channel().route().refusal() != nullptr) return true;
  const pool::Pool* pool = link.channel().endpoint().opened_pool();
  if (pool == nullptr) return true;
  return pool->crowded() && (pool->waiting() > acquiring() || pool->stats().paused);
}

void Destination::on_sweep(void* self) noexcept {
  auto& here = *static_cast<Destination*>(self);
  const TimePoint now = runtime::now();
  for (std::size_t i = 0; i < here.idle_.size();) {
    ServerLink& link = *here.idle_[i];
    if (now - link.idle_since >= kLinger || here.others_wait(link)) {
      here.dismiss(link, Claim::none, {});
    } else {
      ++i;
    }
  }
  // Whoever waits this long lines up with everybody else who wants a session of the pool.
  if (const Waiter* waiter = here.first(); waiter != nullptr && now - waiter->since_ >= kSweep) {
    here.acquire_more(Ask::in_any_case);
  }
  if (!here.idle_.empty() || here.waiting_ != 0) here.arm_sweep();
}

bool Destination::belongs_to(std::string_view database) const noexcept {
  const std::string_view name = database_;
  return name == database || (name.starts_with(database) &&
                              (name[database.size()] == ':' || name.substr(database.size()) == "_replica"));
}

void Destination::give_back() noexcept {
  for (const auto& link : links_) link->leaves = true;
  while (!idle_.empty()) dismiss(*idle_.back(), Claim::none, {});
}

ListenHub* Destination::hub() noexcept {
  if (!may_listen_) return nullptr;
  if (!hub_) {
    const DatabaseHandle* const handle = database();
    if (handle == nullptr) return nullptr;
    hub_ = std::make_unique<ListenHub>(*handle);
  }
  return hub_.get();
}

const DatabaseHandle* Destination::database() noexcept {
  if (!handle_) {
    Result<DatabaseHandle> handle = fleet_.database(database_);
    if (!handle.ok()) return nullptr;
    handle_.emplace(*std::move(handle));
  }
  return &*handle_;
}

// ---- who waits ----

std::size_t Destination::acquiring() const noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(acquisitions_, [](const auto& acquisition) { return !acquisition->done; }));
}

/// Sessions at work come back to us soon: a full pool is not asked at once.
bool Destination::has_room() const noexcept {
  for (const auto& link : links_) {
    if (link->session() == nullptr || link->channel().route().refusal() != nullptr) continue;
    const pool::Pool* pool = link->channel().endpoint().opened_pool();
    if (pool == nullptr) return true;
    const pool::PoolStats stats = pool->stats();
    return stats.idle != 0 || stats.total < stats.max;
  }
  return true;
}

void Destination::acquire_more(Ask ask) noexcept {
  const std::size_t wanted = std::min<std::size_t>(ready(), kMostAcquiring);
  if (wanted == 0) return;
  arm_sweep();
  if (chooses_) return acquire_for_each();
  for (std::size_t asked = acquiring(); asked < wanted; ++asked) {
    if (ask == Ask::if_there_is_room && !has_room()) return;
    Result<DatabaseHandle> handle = fleet_.database(database_);
    if (!handle.ok()) return fail_waiters(handle.error());
    if (!start_acquisition(nullptr, *std::move(handle))) return;
  }
}

bool Destination::start_acquisition(Waiter* waiter, DatabaseHandle handle) noexcept {
  Acquisition* begun = nullptr;
  try {
    begun = acquisitions_.emplace_back(std::make_unique<Acquisition>()).get();
    begun->waiter = waiter;
    begun->task.start(acquire(*begun, std::move(handle)));
    return true;
  } catch (const std::bad_alloc&) {
    // The sweep asks again, and nobody waits for longer than he may.
    if (begun != nullptr) std::erase_if(acquisitions_, [&](const auto& one) { return one.get() == begun; });
    return false;
  }
}

Destination::Acquisition* Destination::acquisition_of(const Waiter& waiter) noexcept {
  const auto found = std::ranges::find_if(
      acquisitions_, [&](const auto& acquisition) { return acquisition->waiter == &waiter && !acquisition->done; });
  return found == acquisitions_.end() ? nullptr : found->get();
}

/// Each of the first in the line asks for himself.
void Destination::acquire_for_each() noexcept {
  const std::size_t wanted = std::min<std::size_t>(ready(), kMostAcquiring);
  std::size_t asked = 0;
  for (Waiter* waiter = first(); waiter != nullptr && asked < wanted; waiter = next(*waiter)) {
    ++asked;
    if (acquisition_of(*waiter) != nullptr) continue;
    const DatabaseHandle* const handle = database();
    if (handle == nullptr) return fail_waiters(Error(ErrorKind::Closed, "the fleet was closed"));
    if (!start_acquisition(waiter, handle->with_context(waiter->call_))) return;
  }
}

void Destination::drop_acquisition(const Waiter& waiter) noexcept {
  std::erase_if(acquisitions_,
                [&](const auto& acquisition) { return acquisition->waiter == &waiter && !acquisition->done; });
}

void Destination::drop_acquisitions() noexcept {
  if (chooses_) return;
  std::size_t excess = acquiring();
  excess -= std::min(excess, ready());
  for (std::size_t i = acquisitions_.size(); i-- > 0 && excess != 0;) {
    if (acquisitions_[i]->done) continue;
    acquisitions_.erase(acquisitions_.begin() + static_cast<std::ptrdiff_t>(i));
    --excess;
  }
}

Task<void> Destination::acquire(Acquisition& acquisition, DatabaseHandle handle) {
  Result<std::shared_ptr<fleet::Channel>> opened = co_await as_result(handle.open_channel());
  acquisition.done = true;
  bury_.schedule();
  if (chooses_) {
    on_acquired_for(acquisition.waiter, std::move(opened));
  } else {
    on_acquired(std::move(opened));
  }
}

Result<ServerLink*> Destination::adopt(std::shared_ptr<fleet::Channel> channel) {
  if (channel->session() == nullptr) {
    const Error error = channel->lost() ? *channel->lost()
                                        : Error(ErrorKind::Unavailable, "the session was lost before it was used");
    fleet::let_go(std::move(channel));
    return error;
  }
  // A stand-in of another database may be used as somebody else.
  const std::string& role = channel->endpoint().plan()->options.user;
  if (!role_.empty() && role != role_) {
    fleet::let_go(std::move(channel));
    return refusal(kInvalidAuthorization, "the server that stands in for database \"" + database_ +
                                              "\" is not used as role \"" + role_ + "\"");
  }
  channel->call = {};
  links_.push_back(std::make_unique<ServerLink>(*this, std::move(channel)));
  return links_.back().get();
}

/// He waits as long as the acquisition has not ended: it is dropped with him.
void Destination::on_acquired_for(Waiter* waiter, Result<std::shared_ptr<fleet::Channel>> opened) noexcept {
  Result<ServerLink*> link = opened.ok() ? adopt(*std::move(opened)) : opened.error();
  // Others come first now: it lies ready for his turn.
  if (link.ok() && !grant(*waiter, **link)) return lay_down(**link);
  leave_line(*waiter);
  if (link.ok()) {
    waiter->on_link(**link);
  } else {
    waiter->on_no_link(link.error());
  }
}

void Destination::on_acquired(Result<std::shared_ptr<fleet::Channel>> opened) noexcept {
  if (opened.ok()) {
    const Result<ServerLink*> link = adopt(*std::move(opened));
    if (!link.ok()) return fail_waiters(link.error());
    hand_out(**link);
    return acquire_more();
  }
  // With sessions at work somebody will give one back; whoever has waited long enough hears of it then.
  const bool exhausted = opened.error().kind() == ErrorKind::PoolExhausted;
  if (!exhausted && links_.empty()) return fail_waiters(opened.error());
  const TimePoint now = runtime::now();
  for (Waiter* waiter = first(); waiter != nullptr && now - waiter->since_ >= acquire_timeout_; waiter = first()) {
    leave_line(*waiter);
    waiter->on_no_link(opened.error());
  }
  if (exhausted) acquire_more(Ask::in_any_case);
}

void Destination::fail_waiters(const Error& error) noexcept {
  runtime::LinkList told;
  told.splice(line_);
  while (Waiter* const waiter = waiter_of(told.front())) {
    leave_line(*waiter);
    waiter->on_no_link(error);
  }
}

bool Destination::waits_for_own_limit() const noexcept {
  return options_.longest_wait > Duration::zero() &&
         (acquire_timeout_ <= Duration::zero() || options_.longest_wait < acquire_timeout_);
}

void Destination::arm_deadline() noexcept {
  if (waiting_ == 0 || deadline_.armed()) return;
  const bool own = waits_for_own_limit();
  if (!own && acquire_timeout_ <= Duration::zero()) return;
  deadline_.arm(deadline_after(first()->since_, own ? options_.longest_wait : acquire_timeout_ + kPoolsTurn));
}

void Destination::on_deadline(void* self) noexcept {
  auto& here = *static_cast<Destination*>(self);
  const bool own = here.waits_for_own_limit();
  const Duration limit = own ? here.options_.longest_wait : here.acquire_timeout_;
  const TimePoint now = runtime::now();
  for (Waiter* waiter = here.first(); waiter != nullptr && now - waiter->since_ >= limit; waiter = here.first()) {
    here.leave_line(*waiter);
    if (own) {
      waiter->on_no_link(Error(ErrorKind::PoolExhausted, "query_wait_timeout")
                             .with_hint("gateway.query_wait_timeout is " + format_duration(limit) + "; " +
                                        std::to_string(here.links_.size()) + " sessions of database \"" +
                                        here.database_ + "\" are in use by clients of the gateway"));
      continue;
    }
    waiter->on_no_link(Error(ErrorKind::PoolExhausted, "no session became free within acquire_timeout; " +
                                                           std::to_string(here.links_.size()) +
                                                           " are in use by clients of the gateway")
                           .with_database(here.database_));
  }
  here.arm_deadline();
}

// ---- logging in ----

const Destination::Login* Destination::find_login(const SettingsRef& startup) noexcept {
  const auto found = logins_.find(startup);
  if (found == logins_.end() || runtime::now() - found->second.learnt > kLoginAge) return nullptr;
  return &found->second;
}

void Destination::add_login(const SettingsRef& startup, SettingsRef settings, SettingsRef parameters) {
  if (logins_.size() >= kMostLogins) logins_.clear();
  logins_[startup] = {std::move(settings), std::move(parameters), runtime::now()};
}

DestinationStatus Destination::status() const noexcept {
  return {.links = static_cast<std::uint32_t>(links_.size()),
          .idle = static_cast<std::uint32_t>(idle_.size()),
          .waiting = static_cast<std::uint32_t>(waiting_)};
}

void Destination::report_statements(std::vector<PreparedReport>& out) const {
  if (!owns_house_) return;
  house_->interns.each([&](const Intern& intern, std::uint32_t holders) {
    PreparedReport& report = out.emplace_back();
    report.database = database_;
    report.name = intern.server_name;
    report.sql = intern.sql();
    report.types = intern.types();
    report.number = intern.number;
    report.holders = holders;
    report.uses = intern.uses;
  });
}

}  // namespace switchyard::inline v0::gateway
