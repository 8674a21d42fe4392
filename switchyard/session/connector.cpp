// Choosing a host: order, addresses, target_session_attrs (manual chapter 34.1.1.3).
#include <switchyard/base/random.hpp>
#include <switchyard/runtime/dns.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/session/session_impl.hpp>
#include <switchyard/session/startup_driver.hpp>

#include <algorithm>
#include <random>
#include <utility>

namespace switchyard::inline v0::session {
namespace {

/// Why a session of a server with this state is not the wanted one; empty if it is.
std::string_view unwanted(TargetSessionAttrs wanted, const Session& session) noexcept {
  const bool standby = session.parameter("in_hot_standby") == "on";
  const bool read_only = standby || session.parameter("default_transaction_read_only") == "on";
  switch (wanted) {
    case TargetSessionAttrs::any: return {};
    case TargetSessionAttrs::read_write: return read_only ? "session is read-only" : "";
    case TargetSessionAttrs::read_only: return read_only ? "" : "session is not read-only";
    case TargetSessionAttrs::primary: return standby ? "server is in hot standby mode" : "";
    case TargetSessionAttrs::standby:
    case TargetSessionAttrs::prefer_standby: return standby ? "" : "server is not in hot standby mode";
  }
  return {};
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
      const std::string_view reason = unwanted(wanted, *session);
      if (reason.empty()) co_return std::move(session);
      note(Error(
          ErrorKind::Unavailable,
          "connection to server at \"" + std::string(session->endpoint()) + "\" failed: " + std::string(reason),
          ErrorStage::connecting));
      session->close();
    }
  }
  if (!first) co_return Error(ErrorKind::Config, "the connection string names no host");
  if (hosts.size() == 1 || first->message() == all) co_return *first;
  co_return Error(ErrorKind::Unavailable, all, ErrorStage::connecting);
}

}  // namespace

Task<Result<std::unique_ptr<Session>>> Session::open(std::shared_ptr<const ConnectPlan> plan, TimePoint deadline) {
  std::vector<HostSpec> hosts = plan->options.hosts;
  if (plan->options.load_balance_hosts == LoadBalanceHosts::random) shuffle(hosts);
  const TargetSessionAttrs wanted = plan->options.target_session_attrs;
  auto session = co_await try_hosts(plan, hosts, wanted, deadline);
  if (session.ok() || wanted != TargetSessionAttrs::prefer_standby) co_return session;
  co_return co_await try_hosts(plan, std::move(hosts), TargetSessionAttrs::any, deadline);
}

}  // namespace switchyard::inline v0::session
