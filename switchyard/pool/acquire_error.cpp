#include <switchyard/base/units.hpp>
#include <switchyard/pool/acquire_error.hpp>

#include <string>

namespace switchyard::inline v0::pool {
namespace {

// Waits are said in whole milliseconds, durations of minutes in whole seconds.
std::string rounded(Duration value) {
  using namespace std::chrono_literals;
  if (value >= 1min) return format_duration(std::chrono::round<std::chrono::seconds>(value));
  return format_duration(std::chrono::round<std::chrono::milliseconds>(value));
}

std::string sessions(std::uint32_t count) {
  return std::to_string(count) + (count == 1 ? " session" : " sessions");
}

std::string describe_limit(const PoolSettings& settings, const AcquireFailure& failure) {
  const PoolStats& stats = failure.stats;
  switch (failure.limit) {
    case Limit::max:
      if (stats.max == 0) return "the pool may hold no session (max 0)";
      return "all " + sessions(stats.max) + " in use (max)";
    case Limit::elsewhere:
      return "the process holds its " + sessions(failure.process_max) + " (max), " +
             std::to_string(failure.elsewhere) + " of them in other pools of this database";
    case Limit::budget: return failure.budget;
    case Limit::connects_slowed: return "new connections are slowed down after repeated connection errors";
    case Limit::concurrent_connects:
      return "all " + std::to_string(settings.max_concurrent_connects) +
             " concurrent connection attempts are under way (max_concurrent_connects)";
    case Limit::connecting:
      return stats.connecting > 0 ? "the connection attempt under way was not ready in time"
                                  : "the session being prepared was not ready in time";
    case Limit::paused: return "the pool is paused";
    case Limit::max_waiters: return std::to_string(settings.max_waiters) + " callers wait already (max_waiters)";
  }
  return {};
}

std::string describe_pool(const PoolStats& stats) {
  std::string text = "total " + std::to_string(stats.total) + ", active " + std::to_string(stats.active) +
                     ", idle " + std::to_string(stats.idle) + ", connecting " + std::to_string(stats.connecting) +
                     ", waiting " + std::to_string(stats.waiting);
  if (stats.closing > 0) text += ", closing " + std::to_string(stats.closing);
  return text;
}

std::string describe_wait(const PoolSettings& settings, const AcquireFailure& failure) {
  if (failure.limit == Limit::max_waiters) return "refused at once";
  if (failure.by_deadline) {
    return "the caller's deadline passed after waiting " + rounded(failure.waited) + " (acquire_timeout is " +
           rounded(settings.acquire_timeout) + ")";
  }
  return "waited " + rounded(failure.waited) + " (acquire_timeout " + rounded(settings.acquire_timeout) + ")";
}

std::string advice(const PoolSettings& settings, const AcquireFailure& failure) {
  const SettingNames& names = settings.setting_names;
  const std::string raise_max = "raise " + names.max + " (now " + std::to_string(settings.max) + ")";
  switch (failure.limit) {
    case Limit::max: {
      std::string text = raise_max + ", hold sessions for less time, or wait longer with " + names.acquire_timeout;
      if (failure.oldest_lease > Duration::zero()) {
        text += "; the oldest lease is held for " + rounded(failure.oldest_lease);
        if (failure.oldest_lease_site) text += std::string(" by ") + failure.oldest_lease_site;
      }
      return text;
    }
    case Limit::elsewhere: return raise_max + " or use fewer shards";
    case Limit::budget: return failure.budget_advice + ", or wait longer with " + names.acquire_timeout;
    case Limit::connects_slowed:
      return "see the connection error; callers wait as long as " + names.acquire_timeout;
    case Limit::concurrent_connects:
    case Limit::connecting:
      return "raise " + names.min + " (now " + std::to_string(settings.min) + ") to keep sessions open, or wait " +
             "longer with " + names.acquire_timeout;
    case Limit::paused: return "resume the pool; callers wait as long as " + names.acquire_timeout;
    case Limit::max_waiters: return raise_max + " or " + names.max_waiters;
  }
  return {};
}

}  // namespace

Error make_acquire_error(const PoolSettings& settings, const AcquireFailure& failure) {
  const PoolStats& stats = failure.stats;
  const bool nothing_open = stats.active == 0 && stats.idle == 0;
  if (failure.last_connect_error && nothing_open && failure.limit != Limit::paused) {
    // Who can't connect does not want to read about pool sizes first.
    const Error& cause = *failure.last_connect_error;
    std::string hint(cause.hint());
    if (!hint.empty()) hint += "; ";
    hint += describe_pool(stats) + "; the error is from " + rounded(failure.since_connect_error) + " ago";
    return cause.with_kind(failure.by_deadline ? ErrorKind::Deadline : ErrorKind::Unavailable)
        .with_stage(ErrorStage::connecting)
        .with_context("no session could be opened, " + describe_wait(settings, failure))
        .with_hint(std::move(hint))
        .with_database(settings.database);
  }
  std::string text = "no session free: " + describe_limit(settings, failure) + "; " +
                     describe_wait(settings, failure) + "; " + describe_pool(stats);
  if (failure.last_connect_error) {
    text += "; last connection error, " + rounded(failure.since_connect_error) + " ago: ";
    text += failure.last_connect_error->message();
  }
  const ErrorKind kind = failure.by_deadline              ? ErrorKind::Deadline
                         : failure.limit == Limit::paused ? ErrorKind::Unavailable
                                                          : ErrorKind::PoolExhausted;
  return Error(kind, std::move(text)).with_hint(advice(settings, failure)).with_database(settings.database);
}

Error make_connect_error(const PoolSettings& settings, const Error& cause) {
  const ErrorKind kind = cause.kind() == ErrorKind::Config ? ErrorKind::Config : ErrorKind::Unavailable;
  return cause.with_kind(kind).with_stage(ErrorStage::connecting).with_database(settings.database);
}

Error make_closed_error(const PoolSettings& settings) {
  return Error(ErrorKind::Closed, "the connection pool is closed").with_database(settings.database);
}

}  // namespace switchyard::inline v0::pool
