#include "contenders.hpp"
#include "meter.hpp"

#include <switchyard/base/bytes.hpp>

#include <libpq-fe.h>
#include <poll.h>

#include <cerrno>
#include <deque>
#include <memory>
#include <random>

namespace lane_bench {
namespace {

struct Finish {
  void operator()(PGconn* connection) const { PQfinish(connection); }
  void operator()(PGresult* result) const { PQclear(result); }
};
using Connection = std::unique_ptr<PGconn, Finish>;
using ResultPtr = std::unique_ptr<PGresult, Finish>;

class PipelinedSession {
 public:
  PipelinedSession(const std::string& keywords, Mix mix, unsigned seed) : mix_(mix), random_(seed) {
    connection_.reset(PQconnectdb(keywords.c_str()));
    if (PQstatus(raw()) != CONNECTION_OK) fail();
    prepare("read", kReadSql);
    prepare("update", kUpdateSql);
    if (PQsetnonblocking(raw(), 1) != 0 || PQenterPipelineMode(raw()) != 1) fail();
  }

  /// As many statements as have a caller; then one write.
  void send(int count) {
    const auto now = Clock::now();
    bool in_group = false;
    for (int i = 0; i < count; ++i) {
      const bool update = mix_ == Mix::reads_and_updates && random_() % 100 < kUpdatePercent;
      if (update && in_group) sync();
      char id[4];
      switchyard::base::store_be(id, static_cast<std::int32_t>(1 + random_() % kRows));
      const char* const values[] = {id};
      const int lengths[] = {sizeof id};
      const int formats[] = {1};
      if (PQsendQueryPrepared(raw(), update ? "update" : "read", 1, values, lengths, formats, 1) != 1) fail();
      sent_.push_back(now);
      in_group = !update;
      if (update) sync();
    }
    if (in_group) sync();
    flush();
  }

  /// Waits for answers and takes all that are there; gives how many statements ended.
  int receive(Latencies* latencies) {
    pollfd waiting{.fd = PQsocket(raw()), .events = POLLIN, .revents = 0};
    if (unsent_) waiting.events |= POLLOUT;
    if (poll(&waiting, 1, 5000) == 0) throw std::runtime_error("libpq: no answer within 5 s");
    if (unsent_) flush();
    if (PQconsumeInput(raw()) != 1) fail();
    const auto now = Clock::now();
    int ended = 0;
    // A null result ends each statement; two in a row never come while something is outstanding.
    while (!sent_.empty() || syncs_ > 0) {
      if (PQisBusy(raw()) == 1) break;
      const ResultPtr result(PQgetResult(raw()));
      if (!result) continue;
      switch (PQresultStatus(result.get())) {
        case PGRES_PIPELINE_SYNC: --syncs_; break;
        case PGRES_TUPLES_OK:
          sum_ += switchyard::base::load_be<std::int32_t>(PQgetvalue(result.get(), 0, 0));
          [[fallthrough]];
        case PGRES_COMMAND_OK:
          if (latencies != nullptr) latencies->add((now - sent_.front()).count());
          sent_.pop_front();
          ++ended;
          break;
        default: throw std::runtime_error(std::string("libpq: ") + PQresultErrorMessage(result.get()));
      }
    }
    return ended;
  }

 private:
  [[nodiscard]] PGconn* raw() const { return connection_.get(); }
  [[noreturn]] void fail() const { throw std::runtime_error(std::string("libpq: ") + PQerrorMessage(raw())); }
  void prepare(const char* name, const char* sql) {
    const Oid int4 = 23;
    const ResultPtr result(PQprepare(raw(), name, sql, 1, &int4));
    if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) fail();
  }
  void sync() {
    if (PQpipelineSync(raw()) != 1) fail();
    ++syncs_;
  }
  void flush() {
    const int left = PQflush(raw());
    if (left < 0) fail();
    unsent_ = left == 1;
  }

  Connection connection_;
  Mix mix_;
  std::minstd_rand random_;
  std::deque<Clock::time_point> sent_;
  int syncs_ = 0;
  bool unsent_ = false;
  std::int64_t sum_ = 0;
};

}  // namespace

Sample run_libpq_pipeline(const Site& site, const Load& load) {
  PipelinedSession session(site.keywords(load.transport), load.mix, load.seed);
  session.send(load.callers);
  const auto warm = Clock::now() + std::chrono::duration<double>(load.warm_up_seconds);
  while (Clock::now() < warm) session.send(session.receive(nullptr));
  Latencies latencies;
  Meter meter(site.postmaster(), 0);
  const auto end = Clock::now() + std::chrono::duration<double>(load.seconds);
  while (Clock::now() < end) session.send(session.receive(&latencies));
  meter.stop();
  Sample sample = meter.sample(static_cast<double>(latencies.count()));
  sample.p50 = latencies.quantile(0.5);
  sample.p99 = latencies.quantile(0.99);
  sample.p999 = latencies.quantile(0.999);
  return sample;
}

}  // namespace lane_bench
