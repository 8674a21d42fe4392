// Choosing a host: order, addresses, target_session_attrs (manual chapter 34.1.1.3).
#include <switchyard/base/random.hpp>
#include <switchyard/runtime/dns.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/session/operation.hpp>
#include <switchyard/session/password_file.hpp>
#include <switchyard/session/session_impl.hpp>
#include <switchyard/session/startup_driver.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>

namespace switchyard::inline v0::session {
namespace {

constexpr std::string_view kInHotStandby = "in_hot_standby";
constexpr std::string_view kReadOnlyByDefault = "default_transaction_read_only";

/// What target_session_attrs asks of a server.
enum class Question : std::uint8_t { none, is_read_only, is_standby };

Question question_of(TargetSessionAttrs wanted) noexcept {
  switch (wanted) {
    case TargetSessionAttrs::any: return Question::none;
    case TargetSessionAttrs::read_write:
    case TargetSessionAttrs::read_only: return Question::is_read_only;
    case TargetSessionAttrs::primary:
    case TargetSessionAttrs::standby:
    case TargetSessionAttrs::prefer_standby: return Question::is_standby;
  }
  return Question::none;
}

/// Why a server with this answer is not the wanted one; empty if it is.
std::string_view unwanted(TargetSessionAttrs wanted, bool answer) noexcept {
  switch (wanted) {
    case TargetSessionAttrs::any: return {};
    case TargetSessionAttrs::read_write: return answer ? "session is read-only" : "";
    case TargetSessionAttrs::read_only: return answer ? "" : "session is not read-only";
    case TargetSessionAttrs::primary: return answer ? "server is in hot standby mode" : "";
    case TargetSessionAttrs::standby:
    case TargetSessionAttrs::prefer_standby: return answer ? "" : "server is not in hot standby mode";
  }
  return {};
}

/// The answer as the server reported it (PostgreSQL 14 and later); nothing if it did not.
std::optional<bool> reported(Question question, const Session& session) noexcept {
  const std::string_view standby = session.parameter(kInHotStandby);
  const std::string_view read_only = session.parameter(kReadOnlyByDefault);
  if (question == Question::is_standby) {
    if (standby.empty()) return std::nullopt;
    return standby == "on";
  }
  if (standby.empty() || read_only.empty()) return std::nullopt;
  return standby == "on" || read_only == "on";
}

/// A session that this plan starts read-only says nothing about its server.
TargetSessionAttrs effective(TargetSessionAttrs wanted, const ConnectPlan& plan) noexcept {
  const bool ours =
      std::ranges::any_of(plan.parameters, [](const auto& p) { return p.first == kReadOnlyByDefault; });
  return ours && wanted == TargetSessionAttrs::read_write ? TargetSessionAttrs::primary : wanted;
}

void shuffle(std::vector<HostSpec>& hosts) {
  thread_local Random random(std::random_device{}());
  for (std::size_t i = hosts.size(); i > 1; --i) std::swap(hosts[i - 1], hosts[random.next() % i]);
}

/// Wrong credentials are the same on every host: the others are not asked.
bool is_authentication_failure(const Error& error) noexcept { return error.sqlstate().starts_with("28"); }

Task<Result<std::vector<runtime::SocketAddress>>> addresses_of(const HostSpec& host, TimePoint deadline) {
  std::vector<runtime::SocketAddress> out;
  if (host.is_unix_socket()) {
    auto address = runtime::SocketAddress::unix_domain(host.socket_path());
    if (!address.ok()) co_return address.error();
    out.push_back(*address);
  } else if (!host.hostaddr.empty()) {
    auto address = runtime::SocketAddress::ip(host.hostaddr, host.port);
    if (!address.ok()) co_return address.error();
    out.push_back(*address);
  } else {
    co_return co_await runtime::resolve(host.host, host.port, deadline);
  }
  co_return out;
}

}  // namespace

/// The one place that makes sessions.
class Connector {
 public:
  static std::unique_ptr<Session> make(const std::shared_ptr<const ConnectPlan>& plan, Established established) {
    std::unique_ptr<Session> session(new Session(nullptr));
    session->impl_ = std::make_unique<Session::Impl>(*session, plan, std::move(established));
    return session;
  }
};

namespace {

/// Asks a server that does not report its role, as before PostgreSQL 14 or behind a pooler: the first field of the
/// first row. Runs on a session that nobody else has yet.
class RoleQuestion final : public ResultState<bool> {
 public:
  bool take() override { return yes_; }
  void on_describe(const std::shared_ptr<const protocol::RowDescription>& /*description*/) noexcept override {}
  void on_row(protocol::RowView row) noexcept override {
    const ByteView value = row[0].bytes();
    yes_ = value == "on" || value == "t";
  }

 private:
  void recycle() noexcept override { delete this; }
  void clear_result() noexcept override { yes_ = false; }
  bool yes_ = false;
};

class RoleQuestioner final : public OperationHost {
 public:
  RoleQuestioner(Session& session, TimePoint deadline) noexcept : session_(session), deadline_(deadline) {}
  Operation<bool> ask(Question question) {
    OperationPtr<ResultState<bool>> state(new RoleQuestion);
    state->host = this;
    state->script = true;
    state->keeps_session_clean = true;
    state->undecided = true;
    state->parts.front().sql =
        question == Question::is_standby ? "SELECT pg_catalog.pg_is_in_recovery()" : "SHOW transaction_read_only";
    return Operation<bool>(std::move(state));
  }

 private:
  void start(OperationState& operation) noexcept override {
    if (session_.closed()) {
      operation.fail(Error(ErrorKind::Unavailable, "the session ended right after it was opened"));
      return;
    }
    operation.deadline = deadline_;
    operation.arm_deadline();
    session_.run(operation);
  }
  void abandon(OperationState& /*operation*/) noexcept override { session_.close(); }
  void expire(OperationState& /*operation*/) noexcept override {
    session_.abort(Error(ErrorKind::Unavailable, "timeout expired", ErrorStage::connecting));
  }
  Session& session_;
  TimePoint deadline_;
};

/// Why the session is not the wanted one; empty if it is.
Task<Result<std::string_view>> judge(Session& session, TargetSessionAttrs wanted, TimePoint deadline) {
  const Question question = question_of(wanted);
  if (question == Question::none) co_return std::string_view();
  if (const auto answer = reported(question, session)) co_return unwanted(wanted, *answer);
  RoleQuestioner questioner(session, deadline);
  const Result<bool> answer = co_await questioner.ask(question).result();
  if (!answer.ok()) co_return answer.error().with_stage(ErrorStage::connecting);
  co_return unwanted(wanted, *answer);
}

/// One pass over the hosts. The errors of hosts that failed are collected.
Task<Result<std::unique_ptr<Session>>> try_hosts(std::shared_ptr<const ConnectPlan> plan,
                                                 std::vector<HostSpec> hosts, TargetSessionAttrs wanted,
                                                 TimePoint deadline) {
  std::optional<Error> first;
  std::string all;
  const auto note = [&](const Error& error) {
    if (!first) first = error;
    if (!all.empty()) all += "; ";
    all += error.message();
  };
  for (const HostSpec& host : hosts) {
    TimePoint host_deadline = deadline;
    if (plan->options.connect_timeout > Duration::zero()) {
      host_deadline = std::min(deadline, deadline_after(runtime::now(), plan->options.connect_timeout));
    }
    auto addresses = co_await addresses_of(host, host_deadline);
    if (!addresses.ok()) {
      note(addresses.error());
      continue;
    }
    for (const runtime::SocketAddress& address : *addresses) {
      auto established = co_await establish(plan, host, address, host_deadline);
      if (!established.ok()) {
        note(established.error());
        if (is_authentication_failure(established.error()) || established.error().kind() == ErrorKind::Config) {
          co_return established.error();
        }
        continue;
      }
      std::unique_ptr<Session> session = Connector::make(plan, std::move(*established));
      const auto reason = co_await judge(*session, wanted, host_deadline);
      if (reason.ok() && reason->empty()) co_return std::move(session);
      const Error refusal = reason.ok()
                                ? Error(ErrorKind::Unavailable, std::string(*reason), ErrorStage::connecting)
                                : reason.error();
      note(refusal.with_context("connection to server at \"" + std::string(session->endpoint()) + "\" failed"));
      session->close();
    }
  }
  if (!first) co_return Error(ErrorKind::Config, "the connection string names no host");
  if (hosts.size() == 1 || first->message() == all) co_return *first;
  co_return Error(ErrorKind::Unavailable, all, ErrorStage::connecting);
}

}  // namespace

namespace {

Task<Result<std::unique_ptr<Session>>> open_once(std::shared_ptr<const ConnectPlan> plan, TimePoint deadline) {
  std::vector<HostSpec> hosts = plan->options.hosts;
  if (plan->options.load_balance_hosts == LoadBalanceHosts::random) shuffle(hosts);
  const TargetSessionAttrs wanted = effective(plan->options.target_session_attrs, *plan);
  auto session = co_await try_hosts(plan, hosts, wanted, deadline);
  if (session.ok() || wanted != TargetSessionAttrs::prefer_standby) co_return session;
  co_return co_await try_hosts(plan, std::move(hosts), TargetSessionAttrs::any, deadline);
}

/// What the first host is shown; the password file is of all of them.
const Secret& password_of(const ConnectPlan& plan) {
  return plan.options.hosts.empty() ? plan.options.password : plan.options.hosts.front().password;
}

std::shared_ptr<const ConnectPlan> with_password(const ConnectPlan& plan, const Secret& password) {
  auto copy = std::make_shared<ConnectPlan>(plan);
  copy->options.password = password;
  for (HostSpec& host : copy->options.hosts) host.password = password;
  copy->options.scram_client_key = copy->options.scram_server_key = Secret();
  return copy;
}

}  // namespace

Task<Result<std::unique_ptr<Session>>> Session::open(std::shared_ptr<const ConnectPlan> plan, TimePoint deadline) {
  const std::string& file = plan->options.password_file;
  if (file.empty()) co_return co_await open_once(std::move(plan), deadline);
  const bool by_keys = !plan->options.scram_client_key.empty();
  std::vector<Secret> tried;
  if (!by_keys) {
    const Secret now = read_password(file);
    if (!now.empty() && now != password_of(*plan)) plan = with_password(*plan, now);
    tried.push_back(password_of(*plan));
  }
  auto session = co_await open_once(plan, deadline);
  // The file may change between the look at it and the look at the next: a second round sees what it holds then.
  for (int round = 0; round < 2; ++round) {
    for (const Secret& other : password_candidates(plan->options.password_file)) {
      if (session.ok() || !is_authentication_failure(session.error())) co_return session;
      if (std::ranges::find(tried, other) != tried.end()) continue;
      tried.push_back(other);
      session = co_await open_once(with_password(*plan, other), deadline);
    }
  }
  co_return session;
}

}  // namespace switchyard::inline v0::session
