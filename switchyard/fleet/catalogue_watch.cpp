#include <switchyard/fleet/catalogue_watch.hpp>

#include <switchyard/fleet/channel.hpp>
#include <switchyard/fleet/chooser.hpp>
#include <switchyard/fleet/endpoint.hpp>
#include <switchyard/fleet/route.hpp>
#include <switchyard/fleet/transaction.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/telemetry/log.hpp>

#include <algorithm>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

/// The shard is not busy with catalogues for more than about this share of its time.
constexpr int kRestPerReading = 10;
/// Between the end of a look and the next one.
constexpr Duration kLeastRest = std::chrono::milliseconds(100);

}  // namespace

CatalogueWatch::CatalogueWatch(std::string database, std::function<Endpoint*()> primary, sql::SafeNames safe)
    : database_(std::move(database)), primary_(std::move(primary)), safe_(std::move(safe)) {}

CatalogueWatch::~CatalogueWatch() {
  task_.reset();
  if (route_) route_->retire();
}

bool CatalogueWatch::trusted() const noexcept {
  return snapshot_ && ddl_seen_ == ddl_noted_ && runtime::now() - seen_ <= kTrustFor;
}

const sql::CatalogueSnapshot* CatalogueWatch::snapshot() noexcept {
  asked_ = runtime::now();
  if (!task_.running()) task_.start(run());
  return trusted() ? snapshot_.get() : nullptr;
}

std::shared_ptr<const sql::CatalogueSnapshot> CatalogueWatch::keep() noexcept {
  return snapshot() != nullptr ? snapshot_ : nullptr;
}

void CatalogueWatch::note_ddl() noexcept {
  ++ddl_noted_;
  wake_.notify();
}

void CatalogueWatch::on_timer(void* self) noexcept { static_cast<CatalogueWatch*>(self)->wake_.notify(); }

Task<void> CatalogueWatch::run() {
  while (runtime::now() - asked_ <= kIdleAfter) {
    const TimePoint begun = runtime::now();
    const std::uint64_t ddl = ddl_noted_;
    const bool was_read = co_await look();
    const Duration took = runtime::now() - begun;
    if (ddl != ddl_noted_) {  // committed while the look was under way: it may not have seen it
      if (was_read) co_await sleep(took);
      continue;
    }
    // From its beginning on, as its answer counts from there: where everything takes long, what is known stays so.
    Duration rest = std::max<Duration>(kLookEvery - took, kLeastRest);
    if (was_read) rest = std::max<Duration>(kLookEvery, kRestPerReading * took);
    timer_.arm(deadline_after(runtime::now(), rest));
    co_await wake_.wait();
  }
}

Task<bool> CatalogueWatch::look() {
  const std::uint64_t ddl = ddl_noted_;
  const TimePoint begun = runtime::now();
  bool was_read = false;
  const auto answer = co_await as_result(ask(was_read));
  const Error* const error = !answer.ok() ? &answer.error() : !answer->ok() ? &answer->error() : nullptr;
  if (error == nullptr) {
    seen_ = begun;
    ddl_seen_ = ddl;
    problem_.clear();
  } else if (problem_ != error->message()) {
    problem_ = error->message();
    log::warning(
        "fleet", "catalogue_unread",
        [&] { return database_ + ": no statement shares a session, its catalogue can't be read: " + problem_; },
        {{"database", std::string_view(database_)}});
  }
  co_return was_read;
}

void CatalogueWatch::note_settings(const std::string& settings) {
  if (!settings_.empty() && settings_ != settings) ++generation_;
  settings_ = settings;
}

std::shared_ptr<Route> CatalogueWatch::route_to(Endpoint& endpoint) {
  if (&endpoint != endpoint_) {
    if (route_) route_->retire();
    endpoint_ = &endpoint;
    route_ = std::make_shared<Route>(database_, std::make_unique<FixedChooser>(endpoint, "catalogue"),
                                     RouteAccess::read, RouteLimits{.goes_first = true});
  }
  return route_;
}

Task<Result<void>> CatalogueWatch::ask(bool& was_read) {
  Endpoint* const endpoint = primary_();
  if (endpoint == nullptr) co_return Error(ErrorKind::Unavailable, "no primary is known");
  const std::shared_ptr<Route> route = route_to(*endpoint);
  const session::CallContext call{.deadline = deadline_after(runtime::now(), kLookLimit), .label = {}};
  const ChannelHolder holder(co_await open_channel(*route, call, OnConnectFailure::fail));
  std::shared_ptr<const sql::CatalogueSnapshot> former;
  if (snapshot_) {
    const Result<CatalogueDigest> digest = co_await ask_catalogue_digest(*holder.get());
    if (!digest.ok()) co_return digest.error();
    note_settings(digest->settings);
    if (digest->catalogue == seen_digest_.catalogue && digest->system == seen_digest_.system) co_return {};
    // Nothing is judged by the old one from here on, whether the new one can be read or not.
    ++epoch_;
    if (digest->system == seen_digest_.system) former = snapshot_;
    snapshot_.reset();
  }
  was_read = true;
  holder.get()->call.deadline = deadline_after(runtime::now(), kReadLimit);
  Result<CatalogueReading> reading = co_await read_catalogue(*holder.get(), safe_, former);
  if (!reading.ok()) co_return reading.error();
  if (former && reading->digest.system != seen_digest_.system) {
    co_return Error(ErrorKind::Unavailable, "built-in functions or views changed while the catalogue was read");
  }
  if (epoch_ == 0) ++epoch_;
  note_settings(reading->digest.settings);
  seen_digest_ = std::move(reading->digest);
  snapshot_ = std::move(reading->snapshot);
  log::info("fleet", "catalogue_read",
            [&] {
              return database_ + ": read the catalogue: " + std::to_string(snapshot_->relation_count()) +
                     " relations, " + std::to_string(snapshot_->function_count()) + " functions";
            },
            {{"database", std::string_view(database_)}});
  co_return {};
}

}  // namespace switchyard::inline v0::fleet
