#include <switchyard/fleet/server_look.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/session/querier.hpp>

#include <optional>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

// Rows of other roles hide their kind (backend_type is null) and their address. Parallel workers and WAL senders
// need no connection of max_connections; autovacuum workers have no role.
constexpr std::string_view kLook =
    "WITH c AS (SELECT usesysid AS u, datid AS d, client_addr AS a, application_name = ANY ($1) AS o"
    " FROM pg_catalog.pg_stat_activity WHERE usesysid IS NOT NULL AND datid IS NOT NULL"
    " AND coalesce(backend_type, 'client backend') = 'client backend') "
    "SELECT pg_catalog.pg_backend_pid() AS pid,"
    " (extract(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::int8 AS started,"
    " pg_catalog.current_setting('port')::int4 AS port,"
    " pg_catalog.current_setting('max_connections')::int4 AS max_connections,"
    " pg_catalog.current_setting('superuser_reserved_connections')::int4"
    " + coalesce(pg_catalog.current_setting('reserved_connections', true), '0')::int4 AS reserved,"
    " CASE WHEN rolsuper THEN -1 ELSE rolconnlimit END AS role_limit,"
    " CASE WHEN rolsuper THEN -1 ELSE datconnlimit END AS database_limit,"
    " pg_catalog.count(*)::int4 AS sessions,"
    " pg_catalog.count(*) FILTER (WHERE u = r.oid)::int4 AS role_sessions,"
    " pg_catalog.count(*) FILTER (WHERE d = b.oid)::int4 AS database_sessions,"
    " pg_catalog.count(*) FILTER (WHERE o)::int4 AS fleet_sessions,"
    " pg_catalog.count(DISTINCT a) FILTER (WHERE o AND NOT a <<= '127.0.0.0/8' AND a <> '::1'"
    " AND a IS DISTINCT FROM pg_catalog.inet_client_addr())::int4 AS other_machines "
    "FROM c, pg_catalog.pg_roles r, pg_catalog.pg_database b "
    "WHERE rolname = current_user AND datname = pg_catalog.current_database() "
    "GROUP BY r.oid, rolsuper, rolconnlimit, b.oid, datconnlimit";

struct Answer {
  std::int32_t pid = 0;
  std::int64_t started = 0;
  std::int32_t port = 0;
  std::int32_t max_connections = 0;
  std::int32_t reserved = 0;
  std::int32_t sessions = 0;
  std::int32_t role_limit = -1;
  std::int32_t role_sessions = 0;
  std::int32_t database_limit = -1;
  std::int32_t database_sessions = 0;
  std::int32_t fleet_sessions = 0;
  std::int32_t other_machines = 0;
};

ServerSight sight_of(const Answer& answer, std::int32_t server_pid) {
  ServerSight out;
  // Two servers that were started in the same microsecond differ in their port.
  out.identity = static_cast<std::uint64_t>(answer.started) * 65'537 + static_cast<std::uint64_t>(answer.port);
  out.max_connections = answer.max_connections;
  out.reserved = answer.reserved;
  out.sessions = answer.sessions;
  out.role_limit = answer.role_limit;
  out.role_sessions = answer.role_sessions;
  out.database_limit = answer.database_limit;
  out.database_sessions = answer.database_sessions;
  out.fleet_sessions = answer.fleet_sessions;
  out.machines = 1 + answer.other_machines;
  // A pooler makes up the number under which cancel requests come.
  out.pooled = server_pid != answer.pid;
  return out;
}

/// One session without pool and route: runs operations, one at a time.
class Sole final : public session::OperationHost, private session::Session::Owner {
 public:
  Sole(session::Session& session, TimePoint deadline) noexcept : session_(&session), deadline_(deadline) {
    session.set_owner(this);
  }
  Sole(const Sole&) = delete;
  Sole& operator=(const Sole&) = delete;
  ~Sole() {
    if (session_) session_->set_owner(nullptr);
  }
  /// Until nothing runs on the session any more.
  Task<void> quiet() {
    while (session_ && !session_->idle()) {
      idle_.reset();
      co_await idle_.wait();
    }
  }

 private:
  void start(session::OperationState& operation) noexcept override {
    if (!session_ || session_->closed()) {
      operation.fail(Error(ErrorKind::Unavailable, "the session ended right after it was opened"));
      return;
    }
    operation.deadline = deadline_;
    operation.deadline_source = "the look at the server";
    operation.arm_deadline();
    session_->run(operation);
  }
  void abandon(session::OperationState& /*operation*/) noexcept override {
    if (session_) session_->close();
  }
  void expire(session::OperationState& /*operation*/) noexcept override {
    if (session_) session_->abort(Error(ErrorKind::Unavailable, "the server did not say what its limits are"));
  }
  void on_idle(session::Session& /*session*/) noexcept override { idle_.set(); }
  void on_closed(session::Session& /*session*/, const Error& /*reason*/) noexcept override {
    session_ = nullptr;
    idle_.set();
  }

  session::Session* session_;
  TimePoint deadline_;
  runtime::AsyncEvent idle_;
};

/// A Querier whose operations run on any host.
class Asker final : public Querier {
 public:
  explicit Asker(session::OperationHost& host) noexcept : Querier(host) {}
};

}  // namespace

Task<Result<ServerSight>> look_at_server(session::OperationHost& host, std::int32_t server_pid,
                                         std::vector<std::string> application_names) {
  Asker asker(host);
  const Result<Answer> answer =
      co_await asker.query_one<Answer>(Statement{.sql = kLook}, application_names).result();
  if (!answer.ok()) co_return answer.error();
  co_return sight_of(*answer, server_pid);
}

Task<Result<ServerSight>> look_at_server(session::Session& session, TimePoint deadline,
                                         std::vector<std::string> application_names) {
  Sole host(session, deadline);
  const std::int32_t pid = session.server_pid();
  Result<ServerSight> sight = co_await look_at_server(host, pid, std::move(application_names));
  co_await host.quiet();
  co_return sight;
}

}  // namespace switchyard::inline v0::fleet
