// The sessions of one endpoint on one shard: the pool machine (its rules), with connections. Callers come as
// Requests: links that they own, so that a session at hand is lent without an allocation and without a coroutine.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/pool/permits.hpp>
#include <switchyard/pool/settings.hpp>
#include <switchyard/pool/stats.hpp>
#include <switchyard/pool/waiter.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/session/session.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace switchyard::inline v0::pool {

class Pool;

/// What an open session of a pool does.
enum class SessionUse : std::uint8_t { idle, lent, tested };

/// One caller's wish for a session. The caller keeps it in place until it was answered or taken back.
class Request : public Waiter {
 public:
  /// The session is the caller's until it is idle again: with autocommit operations the pool takes it back by
  /// itself at Session::Owner::on_idle; a holder that keeps it makes himself the owner and calls Pool::release().
  /// Called from within acquire() when a session was idle, else later from the loop. The request may be used again
  /// or destroyed from here.
  virtual void on_granted(session::Session& session, Duration waited) noexcept = 0;
  /// PoolExhausted, Unavailable, Deadline, Closed; see acquire_error.hpp. As on_granted.
  virtual void on_failed(const Error& error) noexcept = 0;

 protected:
  ~Request() = default;
};

/// Events of a pool that somebody may want to log or count.
class Observer {
 public:
  virtual void on_near_exhaustion(std::uint32_t in_use, std::uint32_t max) noexcept { (void)in_use, (void)max; }
  virtual void on_leak(const char* site, Duration held) noexcept { (void)site, (void)held; }
  virtual void on_connected(session::Session& session, Duration took) noexcept { (void)session, (void)took; }
  virtual void on_connect_failed(const Error& error) noexcept { (void)error; }

 protected:
  ~Observer() = default;
};

/// Opens the sessions of a pool; asked for each of them, so that rotated credentials are seen.
class Connector {
 public:
  /// Keeps the deadline by itself. The pool may drop the task at any time and keeps the connector alive meanwhile.
  virtual Task<Result<std::unique_ptr<session::Session>>> open(TimePoint deadline) = 0;
  virtual ~Connector() = default;
};

/// The usual one: session::Session::open with the endpoint's plan.
[[nodiscard]] SWITCHYARD_API std::shared_ptr<Connector> make_connector(
    std::shared_ptr<const session::ConnectPlan> plan);

/// Belongs to the shard on which it was made: all calls come from there. It may not be destroyed from within one of
/// its own callbacks.
class SWITCHYARD_API Pool {
 public:
  /// `permits` is shared by the pools of all shards; `observer` may be null and outlives the pool.
  Pool(PoolSettings settings, std::shared_ptr<Connector> connector, std::shared_ptr<PermitCounter> permits,
       Observer* observer);
  /// Closes what is open without waiting: sessions end, requests fail with Closed.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void acquire(Request& request) noexcept;
  /// Takes a request back that was not answered yet. It hears nothing afterwards.
  void abandon(Request& request) noexcept;
  /// Gives back a session whose owner somebody else was. It is reset first if it needs it; if an operation still
  /// runs on it, it is taken back when that has ended. A session that was closed under its holder (by close()) is
  /// destroyed here.
  void release(session::Session& session) noexcept;

  /// Opens sessions up to `min`; done when they are open, or with the connection error when attempts fail twice or
  /// the deadline has passed. The pool goes on trying.
  Task<Result<void>> warm_up(TimePoint deadline);
  /// What the holders of lent sessions are told when the pool is destroyed, instead of "the connection pool was
  /// closed".
  void set_end_reason(Error reason);
  /// Callers queue and sessions are closed as they come back, until resume().
  void pause() noexcept;
  void resume() noexcept;
  /// No session that is open now is lent again: idle ones are closed at once, others as they come back.
  void renew() noexcept;
  /// No new requests (they fail with Closed); done when the last session is closed or the deadline has passed,
  /// which closes what is left.
  Task<void> close(TimePoint deadline);

  [[nodiscard]] PoolStats stats() const noexcept;
  /// Calls `visit` with each open session of this shard; `outdated`: it is closed when it comes back.
  void each_session(
      const std::function<void(const session::Session& session, SessionUse use, bool outdated)>& visit) const;
  /// Sessions of this shard that are lent.
  [[nodiscard]] std::uint32_t in_use() const noexcept;
  /// Callers of this shard without a session.
  [[nodiscard]] std::uint32_t waiting() const noexcept;
  /// Callers wait, and no further session may be opened.
  [[nodiscard]] bool crowded() const noexcept;
  [[nodiscard]] const PoolSettings& settings() const noexcept;
  /// Of the last failed connect; null after a success.
  [[nodiscard]] const Error* last_connect_error() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace switchyard::inline v0::pool
