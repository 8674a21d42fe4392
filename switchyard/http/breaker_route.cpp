#include <switchyard/http/breaker_route.hpp>

#include <switchyard/base/suggest.hpp>
#include <switchyard/http/json_writer.hpp>
#include <switchyard/http/problem.hpp>
#include <switchyard/telemetry/log.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace switchyard::inline v0::http {

namespace {

constexpr std::array<std::string_view, 3> kCommands{"open", "close", "reset"};

void write_breaker(JsonWriter& json, std::string_view database, const BreakerReport& report) {
  json.begin_object()
      .member("database", database)
      .member("endpoint", report.endpoint)
      .member("access", report.access)
      .member("state", report.state)
      .member("mode", report.mode)
      .member("calls", report.calls)
      .member("failed", report.failed)
      .member("slow", report.slow)
      .member("refused", report.refused)
      .member("opened", report.opened);
  if (report.trial_in) {
    json.member("trial_in_ms", std::chrono::ceil<std::chrono::milliseconds>(*report.trial_in).count());
  }
  json.member("why", report.why).member("last_failure", report.last_failure).end_object();
}

Error wrong(std::string message, std::string hint) {
  return Error(ErrorKind::Usage, std::move(message)).with_hint(std::move(hint));
}

/// The only value of a parameter; empty when it is absent.
std::string_view one_value(const HttpRequest& request, std::string_view name) {
  const std::vector<std::string_view> values = request.query_values(name);
  return values.empty() ? std::string_view() : values.front();
}

struct Order {
  std::string database, replica;
  BreakerCommand command = BreakerCommand::reset;
  std::optional<OperationKind> access;
};

Result<Order> read_order(const HttpRequest& request) {
  Order order;
  order.database = one_value(request, "database");
  if (order.database.empty()) return wrong("of which database?", "add ?database=NAME");
  order.replica = one_value(request, "replica");
  const std::string_view command = one_value(request, "command");
  const auto known = std::ranges::find(kCommands, command);
  if (known == kCommands.end()) {
    const std::string close = did_you_mean(command, kCommands);
    return wrong("there is no command '" + std::string(command) + "'",
                 close.empty() ? "command is open, close or reset" : close);
  }
  order.command = static_cast<BreakerCommand>(known - kCommands.begin());
  if (const std::string_view access = one_value(request, "access"); access == "read") {
    order.access = OperationKind::read;
  } else if (access == "write") {
    order.access = OperationKind::write;
  } else if (!access.empty()) {
    return wrong("there is no access '" + std::string(access) + "'", "access is read or write; both without it");
  }
  return order;
}

HttpResponse refuse(const HttpRequest& request, unsigned status, std::string detail, std::string hint) {
  Problem problem;
  problem.status = status;
  problem.detail = std::move(detail);
  problem.hint = std::move(hint);
  problem.instance = request.target;
  problem.trace_id = request.trace_id;
  return to_response(problem);
}

class BreakerRoute final : public Route {
 public:
  explicit BreakerRoute(Fleet& fleet) noexcept : fleet_(fleet) {}

  [[nodiscard]] bool takes_post() const noexcept override { return true; }

  Task<HttpResponse> get(const HttpRequest& request) override {
    const std::string_view only = one_value(request, "database");
    JsonWriter json;
    json.begin_object().key("breakers").begin_array();
    bool found = only.empty();
    const FleetStatus status = fleet_.status();
    std::vector<std::string_view> names;
    for (const DatabaseStatus& database : status.databases) {
      names.emplace_back(database.name);
      if (!only.empty() && database.name != only) continue;
      found = true;
      for (const EndpointStatus& endpoint : database.endpoints) {
        for (const BreakerReport& report : endpoint.breakers) write_breaker(json, database.name, report);
      }
    }
    json.end_array().end_object();
    if (!found) {
      co_return refuse(request, 404, "there is no database '" + std::string(only) + "'", did_you_mean(only, names));
    }
    co_return HttpResponse::json(200, json.take());
  }

  Task<HttpResponse> post(const HttpRequest& request) override {
    const std::string_view who = request.header(kOperatorHeader);
    if (who.empty()) {
      co_return refuse(request, 403, "an operator's command needs the header Switchyard-Operator",
                       "say who you are: Switchyard-Operator: NAME");
    }
    if (!is_loopback(request.header("host"))) {
      co_return refuse(request, 403, "an operator's command is taken from this machine only",
                       "address the door as 127.0.0.1 or localhost");
    }
    auto order = read_order(request);
    if (!order.ok()) {
      co_return refuse(request, 400, std::string(order.error().message()), std::string(order.error().hint()));
    }
    const auto reports =
        fleet_.set_breakers(order->database, order->command, {.replica = order->replica, .access = order->access});
    if (!reports.ok()) {
      const bool unknown = reports.error().kind() == ErrorKind::Usage;
      co_return refuse(request, unknown ? 404 : 409, std::string(reports.error().message()),
                       std::string(reports.error().hint()));
    }
    const std::string_view command = kCommands[static_cast<std::size_t>(order->command)];
    log::warning("fleet", "operator",
                 [&] {
                   return "[OPERATOR] " + std::string(who) + ": breaker " + std::string(command) + " on " +
                          order->database + (order->replica.empty() ? "" : ", replica " + order->replica);
                 },
                 {{"database", std::string_view(order->database)}, {"command", command}, {"operator", who}});
    JsonWriter json;
    json.begin_object().key("breakers").begin_array();
    for (const BreakerReport& report : *reports) write_breaker(json, order->database, report);
    json.end_array().end_object();
    co_return HttpResponse::json(200, json.take());
  }

 private:
  Fleet& fleet_;
};

}  // namespace

bool is_loopback(std::string_view address) noexcept {
  // Without the port; an address in brackets keeps its colons.
  const std::size_t end = address.starts_with('[') ? address.find(']') + 1 : address.find(':');
  const std::string_view host = address.substr(0, end);
  const bool digits_and_dots = host.find_first_not_of("0123456789.") == std::string_view::npos;
  return host == "localhost" || host == "[::1]" || (host.starts_with("127.") && digits_and_dots);
}

void add_breaker_route(Router& router, Fleet& fleet) {
  router.add(std::string(kBreakerPath), "circuit breakers; operators open, close and reset them by POST",
             std::make_unique<BreakerRoute>(fleet));
}

}  // namespace switchyard::inline v0::http
