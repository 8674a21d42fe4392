// The driver on a loop driven by hand. The session is a double that this program links in place of the real one;
// what the driver does with real sessions is tested in pool_pgtest.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <switchyard/pool/pool.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/manual_loop.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/session/connect_plan.hpp>

#include <cstdlib>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace switchyard::inline v0::session {

/// What the tests see of a session.
struct Double {
  Session* session = nullptr;
  Session::Owner* owner = nullptr;
  bool busy = false;
  bool closed = false;
  bool dirty = false;
  bool spoilt = false;  ///< a reset does not help
  bool destroyed = false;
  int pings = 0;
  int resets = 0;

  void run() { busy = true; }
  /// The operation, ping or reset ends.
  void end() {
    busy = false;
    owner->on_idle(*session);
  }
  void lose() {
    busy = false;
    closed = true;
    owner->on_closed(*session, Error(ErrorKind::Unavailable, "terminated").with_session_lost());
  }
};

/// The server that the doubles talk to: attempts wait for the test to decide.
struct DoubleServer {
  struct Attempt {
    runtime::OneShot<std::optional<Error>> outcome;
    bool dropped = false;
  };
  std::deque<std::shared_ptr<Attempt>> attempts;
  std::vector<std::shared_ptr<Double>> sessions;
  bool accepts_at_once = false;

  void accept() { decide(std::nullopt); }
  void refuse(std::string why) { decide(Error(ErrorKind::Unavailable, std::move(why), ErrorStage::connecting)); }
  void decide(std::optional<Error> outcome) {
    const auto attempt = attempts.front();
    attempts.pop_front();
    attempt->outcome.set(std::move(outcome));
  }
  static DoubleServer* current;
};
DoubleServer* DoubleServer::current = nullptr;

class Session::Impl {
 public:
  explicit Impl(std::shared_ptr<Double> what) : state(std::move(what)) {}
  std::shared_ptr<Double> state;
};

Session::Session(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Session::~Session() { impl_->state->destroyed = true; }
void Session::set_owner(Owner* owner) noexcept { impl_->state->owner = owner; }
void Session::start_ping() noexcept {
  ++impl_->state->pings;
  impl_->state->busy = true;
}
void Session::start_reset() noexcept {
  ++impl_->state->resets;
  impl_->state->busy = true;
  impl_->state->dirty = false;
}
void Session::close() noexcept {
  impl_->state->closed = true;
  impl_->state->owner = nullptr;
}
void Session::abort(const Error& reason) noexcept {
  impl_->state->closed = true;
  if (impl_->state->owner != nullptr) impl_->state->owner->on_closed(*this, reason);
}
// A server that lets go at once.
void Session::leave() noexcept { abort(Error(ErrorKind::Closed, "the server let it go")); }
// What a shared lane would want of a session: nothing here opens one.
protocol::Pipeline& Session::let(Tenant& /*tenant*/) noexcept { std::abort(); }
void Session::flush() noexcept { std::abort(); }
void Session::cancel() noexcept { std::abort(); }
bool Session::pristine() const noexcept { std::abort(); }
TimePoint Session::opened() const noexcept { std::abort(); }
std::int32_t Session::server_pid() const noexcept { std::abort(); }
bool Session::idle() const noexcept { return !impl_->state->busy && !impl_->state->closed; }
bool Session::closed() const noexcept { return impl_->state->closed; }
bool Session::needs_reset() const noexcept { return impl_->state->dirty || impl_->state->spoilt; }
bool Session::must_close() const noexcept { return impl_->state->spoilt; }

Task<Result<std::unique_ptr<Session>>> Session::open(std::shared_ptr<const ConnectPlan>, TimePoint) {
  struct Watch {
    explicit Watch(std::shared_ptr<DoubleServer::Attempt> which) : attempt(std::move(which)) {}
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch() { attempt->dropped = true; }
    std::shared_ptr<DoubleServer::Attempt> attempt;
  };
  DoubleServer& server = *DoubleServer::current;
  const Watch watch(std::make_shared<DoubleServer::Attempt>());
  if (!server.accepts_at_once) {
    server.attempts.push_back(watch.attempt);
    const std::optional<Error> refused = co_await watch.attempt->outcome.wait();
    if (refused) co_return *refused;
  }
  auto state = server.sessions.emplace_back(std::make_shared<Double>());
  std::unique_ptr<Session> session(new Session(std::make_unique<Impl>(state)));
  state->session = session.get();
  co_return session;
}

}  // namespace switchyard::inline v0::session

namespace switchyard::pool::testing {
namespace {

using namespace std::chrono_literals;
using session::Double;
using session::DoubleServer;
using session::Session;
using ::testing::HasSubstr;

struct Caller final : Request {
  void on_granted(Session& granted, Duration) noexcept override {
    session = &granted;
    if (then) then();
  }
  void on_failed(const Error& error) noexcept override {
    failed = error;
    if (then) then();
  }
  Session* session = nullptr;
  std::optional<Error> failed;
  std::function<void()> then;
};

struct Holder final : Session::Owner {
  void on_idle(Session&) noexcept override { ++idle; }
  void on_closed(Session&, const Error&) noexcept override { ++closed; }
  int idle = 0;
  int closed = 0;
};

struct Watcher final : Observer {
  void on_near_exhaustion(std::uint32_t, std::uint32_t) noexcept override { ++alarms; }
  void on_leak(const char* site, Duration) noexcept override { leaks.emplace_back(site); }
  void on_connected(Session&, Duration) noexcept override { ++connected; }
  void on_connect_failed(const Error&) noexcept override { ++failures; }
  int alarms = 0;
  int connected = 0;
  int failures = 0;
  std::vector<std::string> leaks;
};

PoolSettings sizes(std::uint32_t min, std::uint32_t max) {
  PoolSettings settings;
  settings.database = "reference";
  settings.min = min;
  settings.max = max;
  return settings;
}

class PoolDriver : public ::testing::Test {
 protected:
  PoolDriver() { DoubleServer::current = &server; }
  ~PoolDriver() override {
    pool.reset();
    loop.run();
    DoubleServer::current = nullptr;
  }

  void open(PoolSettings settings) {
    const auto max = settings.max;
    pool.emplace(std::move(settings), make_connector(std::make_shared<session::ConnectPlan>()),
                 std::make_shared<PermitCounter>(max), &watcher);
  }
  /// One caller that has its session, which the server has just opened.
  Double& lent(Caller& caller) {
    pool->acquire(caller);
    loop.run();
    server.accept();
    loop.run();
    EXPECT_NE(caller.session, nullptr);
    return *server.sessions.back();
  }

  runtime::ManualLoop loop;
  DoubleServer server;
  Watcher watcher;
  std::optional<Pool> pool;
};

TEST_F(PoolDriver, OpensASessionForACallerAndTakesItBackWhenItsOperationHasEnded) {
  open(sizes(0, 2));
  Caller first;
  Double& session = lent(first);
  session.run();
  EXPECT_EQ(pool->stats().active, 1U);
  session.end();
  EXPECT_EQ(pool->stats().idle, 1U);
  Caller second;
  pool->acquire(second);
  EXPECT_EQ(second.session, first.session) << "granted within acquire()";
  EXPECT_EQ(watcher.connected, 1);
}

TEST_F(PoolDriver, ASessionGoesToTheNextCallerInTheTurnInWhichItComesBack) {
  open(sizes(0, 1));
  Caller first;
  Caller second;
  Double& session = lent(first);
  session.run();
  pool->acquire(second);
  EXPECT_EQ(second.session, nullptr);
  session.end();
  EXPECT_EQ(second.session, first.session);
}

TEST_F(PoolDriver, AHolderKeepsTheSessionUntilItReleasesIt) {
  open(sizes(0, 1));
  Caller caller;
  Holder holder;
  Double& session = lent(caller);
  session.owner = &holder;
  session.run();
  session.end();
  EXPECT_EQ(holder.idle, 1);
  EXPECT_EQ(pool->stats().active, 1U);
  pool->release(*caller.session);
  EXPECT_EQ(pool->stats().idle, 1U);
  EXPECT_NE(session.owner, &holder);
}

TEST_F(PoolDriver, ADirtySessionIsResetBeforeItIsLentAgain) {
  open(sizes(0, 1));
  Caller first;
  Caller second;
  Double& session = lent(first);
  session.run();
  session.dirty = true;
  pool->acquire(second);
  session.end();
  EXPECT_EQ(session.resets, 1);
  EXPECT_EQ(second.session, nullptr);
  session.end();
  EXPECT_NE(second.session, nullptr);
}

TEST_F(PoolDriver, ASpoiltSessionIsClosedInsteadOfReset) {
  open(sizes(0, 1));
  Caller caller;
  Double& session = lent(caller);
  session.spoilt = true;
  pool->release(*caller.session);
  EXPECT_EQ(session.resets, 0);
  EXPECT_TRUE(session.destroyed);
  EXPECT_EQ(pool->stats().closed_by(CloseReason::released), 1U);
}

TEST_F(PoolDriver, AResetThatIsNotAnsweredCostsTheSession) {
  open(sizes(0, 1));
  Caller caller;
  Double& session = lent(caller);
  session.dirty = true;
  pool->release(*caller.session);
  loop.advance(4900ms);
  EXPECT_FALSE(session.destroyed);
  loop.advance(200ms);
  EXPECT_TRUE(session.destroyed);
  EXPECT_EQ(pool->stats().closed_by(CloseReason::reset_failed), 1U);
  EXPECT_EQ(pool->stats().total, 0U);
}

TEST_F(PoolDriver, ASessionReleasedInTheMiddleOfAnOperationComesBackWhenThatHasEnded) {
  open(sizes(0, 1));
  Caller caller;
  Holder holder;
  Double& session = lent(caller);
  session.owner = &holder;
  session.run();
  pool->release(*caller.session);
  EXPECT_EQ(pool->stats().active, 1U);
  session.end();
  EXPECT_EQ(pool->stats().idle, 1U);
}

TEST_F(PoolDriver, AnOldIdleSessionIsPingedAndASilentOneIsReplaced) {
  open(sizes(0, 1));
  Caller first;
  Double& silent = lent(first);
  pool->release(*first.session);
  loop.advance(2s);
  Caller second;
  pool->acquire(second);
  EXPECT_EQ(silent.pings, 1);
  EXPECT_EQ(second.session, nullptr);
  loop.advance(1010ms);
  EXPECT_TRUE(silent.destroyed);
  server.accept();
  loop.run();
  EXPECT_NE(second.session, nullptr);
}

TEST_F(PoolDriver, APingThatIsAnsweredLendsTheSession) {
  open(sizes(0, 1));
  Caller first;
  Double& session = lent(first);
  pool->release(*first.session);
  loop.advance(2s);
  Caller second;
  pool->acquire(second);
  session.end();
  EXPECT_EQ(second.session, first.session);
}

TEST_F(PoolDriver, AnIdleSessionThatEndsIsForgotten) {
  open(sizes(0, 1));
  Caller caller;
  Double& session = lent(caller);
  pool->release(*caller.session);
  session.lose();
  EXPECT_TRUE(session.destroyed);
  EXPECT_EQ(pool->stats().total, 0U);
  EXPECT_EQ(pool->stats().closed_by(CloseReason::lost), 1U);
}

TEST_F(PoolDriver, ASessionLostUnderItsHolderIsDestroyedWhenTheHolderReleasesIt) {
  open(sizes(0, 1));
  Caller caller;
  Holder holder;
  Double& session = lent(caller);
  session.owner = &holder;
  session.run();
  session.lose();
  EXPECT_EQ(holder.closed, 1);
  EXPECT_FALSE(session.destroyed);
  pool->release(*caller.session);
  EXPECT_TRUE(session.destroyed);
  EXPECT_EQ(pool->stats().closed_by(CloseReason::lost), 1U);
}

TEST_F(PoolDriver, ACallerThatGivesUpHearsNothingAndTheAttemptGoesOn) {
  open(sizes(0, 1));
  Caller caller;
  pool->acquire(caller);
  loop.run();
  pool->abandon(caller);
  server.accept();
  loop.run();
  EXPECT_EQ(caller.session, nullptr);
  EXPECT_EQ(pool->stats().idle, 1U);
}

TEST_F(PoolDriver, ACallerMayGiveUpWhileItsAnswerIsAboutToBeTold) {
  open(sizes(0, 2));
  Caller first;
  Caller second;
  pool->acquire(first);
  pool->acquire(second);
  loop.run();
  first.then = [&] { pool->abandon(second); };
  server.decide(Error(ErrorKind::Config, "no such host"));
  loop.run();
  EXPECT_TRUE(first.failed);
  EXPECT_FALSE(second.failed);
  EXPECT_FALSE(second.queued());
}

TEST_F(PoolDriver, ASessionGrantedToACallerThatHasJustGivenUpStaysInThePool) {
  open(sizes(0, 2));
  Caller holders[2];
  Double& one = lent(holders[0]);
  Double& two = lent(holders[1]);
  one.run();
  two.run();
  Caller first;
  Caller second;
  pool->acquire(first);
  pool->acquire(second);
  // Within the same work both are granted: the first takes the second one's wish back.
  first.then = [&] {
    two.end();
    pool->abandon(second);
  };
  one.end();
  EXPECT_NE(first.session, nullptr);
  EXPECT_EQ(second.session, nullptr);
  EXPECT_EQ(pool->stats().idle, 1U);
  EXPECT_EQ(pool->stats().active, 1U);
}

TEST_F(PoolDriver, TheAcquireTimeoutIsKeptByTheLoopsTimers) {
  auto settings = sizes(0, 1);
  settings.acquire_timeout = 500ms;
  open(settings);
  Caller holder;
  lent(holder);
  Caller caller;
  pool->acquire(caller);
  loop.advance(499ms);
  EXPECT_FALSE(caller.failed);
  loop.advance(2ms);
  ASSERT_TRUE(caller.failed);
  EXPECT_EQ(caller.failed->kind(), ErrorKind::PoolExhausted);
}

TEST_F(PoolDriver, ARefusedConnectionIsObservedAndKept) {
  open(sizes(0, 1));
  Caller caller;
  caller.on_connect_error = OnConnectError::fail;
  pool->acquire(caller);
  loop.run();
  server.refuse("connection refused");
  loop.run();
  ASSERT_TRUE(caller.failed);
  EXPECT_EQ(watcher.failures, 1);
  ASSERT_NE(pool->last_connect_error(), nullptr);
  EXPECT_EQ(pool->last_connect_error()->message(), "connection refused");
}

TEST_F(PoolDriver, ALeakIsObservedWithItsSite) {
  auto settings = sizes(0, 1);
  settings.leak_threshold = 10s;
  open(settings);
  Caller caller;
  caller.site = "nightly report";
  lent(caller);
  loop.advance(11s);
  EXPECT_THAT(watcher.leaks, ::testing::ElementsAre("nightly report"));
  EXPECT_EQ(watcher.alarms, 1) << "one of one session is in use";
}

Task<void> keep_result(Task<Result<void>> task, std::optional<Result<void>>& result) {
  result.emplace(co_await std::move(task));
}
Task<void> keep_end(Task<void> task, bool& ended) {
  co_await std::move(task);
  ended = true;
}

TEST_F(PoolDriver, WarmingUpEndsWhenMinSessionsAreOpen) {
  open(sizes(2, 4));
  std::optional<Result<void>> result;
  spawn(keep_result(pool->warm_up(loop.now() + 5s), result));
  loop.run();
  server.accept();
  loop.run();
  EXPECT_FALSE(result);
  server.accept();
  loop.run();
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->ok());
  EXPECT_EQ(pool->stats().idle, 2U);
}

TEST_F(PoolDriver, WarmingUpTellsTheConnectionErrorAndThePoolGoesOnTrying) {
  open(sizes(1, 4));
  std::optional<Result<void>> result;
  spawn(keep_result(pool->warm_up(loop.now() + 5s), result));
  loop.run();
  for (int attempt = 0; attempt < 2; ++attempt) {
    server.refuse("connection refused");
    loop.run();
  }
  ASSERT_TRUE(result);
  ASSERT_FALSE(result->ok());
  EXPECT_THAT(result->error().what(), HasSubstr("database 'reference': connection refused"));
  loop.advance(200ms);
  EXPECT_EQ(server.attempts.size(), 1U);
}

TEST_F(PoolDriver, WarmingUpEndsAtItsDeadline) {
  open(sizes(1, 4));
  std::optional<Result<void>> result;
  spawn(keep_result(pool->warm_up(loop.now() + 1s), result));
  loop.run();
  loop.advance(1100ms);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->error().kind(), ErrorKind::Deadline);
}

TEST_F(PoolDriver, ClosingWaitsForLeasesAndRefusesNewCallers) {
  open(sizes(0, 2));
  Caller holder;
  Double& session = lent(holder);
  session.run();
  bool closed = false;
  spawn(keep_end(pool->close(loop.now() + 10s), closed));
  loop.run();
  Caller late;
  pool->acquire(late);
  ASSERT_TRUE(late.failed);
  EXPECT_EQ(late.failed->kind(), ErrorKind::Closed);
  EXPECT_FALSE(closed);
  session.end();
  loop.run();
  EXPECT_TRUE(closed);
  EXPECT_TRUE(session.destroyed);
}

TEST_F(PoolDriver, AfterTheDeadlineClosingEndsSessionsUnderTheirHolders) {
  open(sizes(0, 2));
  Caller caller;
  Double& session = lent(caller);
  Holder holder;
  session.owner = &holder;
  session.run();
  bool closed = false;
  spawn(keep_end(pool->close(loop.now() + 1s), closed));
  loop.run();
  loop.advance(1100ms);
  EXPECT_TRUE(closed);
  EXPECT_TRUE(session.closed);
  EXPECT_FALSE(session.destroyed) << "its holder still points to it";
  pool->release(*caller.session);
  EXPECT_TRUE(session.destroyed);
}

TEST_F(PoolDriver, DestroyingThePoolFailsWaitersAndDropsAttempts) {
  open(sizes(0, 1));
  Caller caller;
  pool->acquire(caller);
  loop.run();
  const auto attempt = server.attempts.front();
  std::optional<Result<void>> warming;
  spawn(keep_result(pool->warm_up(kNever), warming));
  loop.run();
  pool.reset();
  ASSERT_TRUE(caller.failed);
  EXPECT_EQ(caller.failed->kind(), ErrorKind::Closed);
  loop.run();
  EXPECT_TRUE(attempt->dropped);
  ASSERT_TRUE(warming);
  EXPECT_EQ(warming->error().kind(), ErrorKind::Closed);
}

TEST_F(PoolDriver, PausingClosesSessionsAndResumingServesWhoWaited) {
  open(sizes(0, 1));
  Caller holder;
  Double& session = lent(holder);
  session.run();
  pool->pause();
  Caller caller;
  pool->acquire(caller);
  session.end();
  EXPECT_TRUE(session.destroyed);
  loop.run();
  EXPECT_TRUE(server.attempts.empty());
  pool->resume();
  loop.run();
  server.accept();
  loop.run();
  EXPECT_NE(caller.session, nullptr);
}

// Two pools with one limit, on a real shard: the wish for a permit travels by post().
TEST(PoolDriverShard, APoolWithAnIdleSessionGivesItsPermitToThePoolThatHasCallers) {
  DoubleServer server;
  server.accepts_at_once = true;
  DoubleServer::current = &server;
  runtime::Shard shard;
  Caller reader;
  Caller writer;
  {
    const runtime::Shard::Scope scope(shard);
    const auto permits = std::make_shared<PermitCounter>(1);
    Pool reads(sizes(0, 1), make_connector(nullptr), permits, nullptr);
    Pool writes(sizes(0, 1), make_connector(nullptr), permits, nullptr);
    runtime::AsyncEvent granted;
    reader.then = [&] { granted.notify(); };
    writer.then = [&] { granted.notify(); };
    const auto story = [](Pool& first, Pool& second, Caller& a, Caller& b,
                          runtime::AsyncEvent& told) -> Task<void> {
      first.acquire(a);
      co_await told.wait();
      first.release(*a.session);
      second.acquire(b);
      co_await told.wait();
    };
    shard.run_until_complete(with_timeout(story(reads, writes, reader, writer, granted), 5s));
    EXPECT_NE(writer.session, nullptr);
    EXPECT_EQ(reads.stats().closed_by(CloseReason::given_away), 1U);
  }
  DoubleServer::current = nullptr;
}

}  // namespace
}  // namespace switchyard::pool::testing
