#include <switchyard/http/fleet_routes.hpp>

#include <switchyard/base/suggest.hpp>
#include <switchyard/http/documents.hpp>
#include <switchyard/http/index_page.hpp>
#include <switchyard/http/metrics.hpp>
#include <switchyard/http/problem.hpp>
#include <switchyard/telemetry/text.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0::http {

namespace {

using RouteFunction = Task<HttpResponse> (*)(FleetSource& source, const HttpRequest& request);

class FleetRoute final : public Route {
 public:
  FleetRoute(FleetSource& source, RouteFunction function) noexcept : source_(source), function_(function) {}
  SWITCHYARD_COROUTINE_WRAPPER Task<HttpResponse> get(const HttpRequest& request) override {
    return function_(source_, request);
  }

 private:
  FleetSource& source_;
  RouteFunction function_;
};

HttpResponse document(unsigned status, std::string type, std::string body) {
  HttpResponse response;
  response.status = status;
  response.content_type = std::move(type);
  response.body = std::move(body);
  return response;
}

/// The process answers: asks no database.
Task<HttpResponse> livez(FleetSource&, const HttpRequest&) { co_return HttpResponse::text(200, "ok\n"); }

/// 200 when every required database serves, in the manner of Kubernetes: a list with ?verbose or when something is
/// wrong, databases left out with ?exclude=name.
Task<HttpResponse> readyz(FleetSource& source, const HttpRequest& request) {
  const auto reports = co_await source.health();
  const std::vector<std::string_view> excluded = request.query_values("exclude");
  std::vector<std::string_view> names;
  std::string lines;
  bool ready = true;
  for (const HealthReport& report : *reports) {
    names.emplace_back(report.database);
    const bool skip = std::ranges::find(excluded, report.database) != excluded.end();
    const bool counts = report.required && !skip;
    if (counts && !report.healthy) ready = false;
    lines += report.healthy ? "[+]" : counts ? "[-]" : "[ ]";
    lines += report.database;
    lines += skip ? " excluded: " : report.required ? " " : " optional: ";
    lines += report.healthy ? "ok" : report.error;
    lines += '\n';
  }
  for (const std::string_view name : excluded) {
    if (std::ranges::find(names, name) != names.end()) continue;
    const std::string hint = did_you_mean(name, names);
    lines += "warning: there is no database '" + std::string(name) + "' to exclude" +
             (hint.empty() ? "" : ", " + hint) + '\n';
  }
  const std::string verdict = ready ? "ok\n" : "not ready\n";
  if (ready && !request.has_query("verbose")) co_return HttpResponse::text(200, verdict);
  co_return HttpResponse::text(ready ? 200 : 503, lines + verdict);
}

Task<HttpResponse> health(FleetSource& source, const HttpRequest&) {
  const auto reports = co_await source.health();
  const FleetStatus status = source.status();
  co_return document(judge(status, *reports) == Verdict::fail ? 503 : 200, "application/health+json",
                     health_json(status, *reports));
}

Task<HttpResponse> metrics(FleetSource& source, const HttpRequest&) {
  const auto reports = co_await source.health();
  const MetricsInput input{.status = source.status(),
                           .reports = *reports,
                           .statistics = source.statistics(),
                           .facts = source.facts(),
                           .events = source.event_counts()};
  co_return document(200, std::string(telemetry::kTextContentType), metrics_text(input));
}

/// ?since=SEQUENCE: only later ones; ?most=N: the latest N of them.
Task<HttpResponse> events(FleetSource& source, const HttpRequest& request) {
  std::uint64_t since = 0;
  std::uint64_t most = telemetry::EventLog::kMaxKeys;
  for (const auto& [name, value] : request.query) {
    if (name != "since" && name != "most") continue;
    std::uint64_t& number = name == "since" ? since : most;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size() || value.empty()) {
      Problem problem;
      problem.status = 400;
      problem.detail = "'" + name + "' has to be a whole number";
      co_return to_response(problem);
    }
  }
  co_return HttpResponse::json(200, events_json(source.events(since, most)));
}

Task<HttpResponse> fleet(FleetSource& source, const HttpRequest&) {
  co_return HttpResponse::json(200, fleet_json(source.status()));
}

Task<HttpResponse> health_databases(FleetSource& source, const HttpRequest&) {
  const auto reports = co_await source.health();
  co_return HttpResponse::json(200, health_databases_json(source.status(), *reports));
}

Task<HttpResponse> health_connections(FleetSource& source, const HttpRequest&) {
  co_return HttpResponse::json(200, health_connections_json(source.status()));
}

class IndexRoute final : public Route {
 public:
  IndexRoute(FleetSource& source, const Router& router) noexcept : source_(source), router_(router) {}
  Task<HttpResponse> get(const HttpRequest&) override {
    const auto reports = co_await source_.health();
    HttpResponse response =
        document(200, "text/html; charset=utf-8", index_page(source_.status(), *reports, router_.entries()));
    response.headers.emplace_back("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
    co_return response;
  }

 private:
  FleetSource& source_;
  const Router& router_;
};

}  // namespace

std::unique_ptr<Router> make_fleet_router(FleetSource& source) {
  auto router = std::make_unique<Router>();
  const auto add = [&](std::string path, std::string summary, RouteFunction function) {
    router->add(std::move(path), std::move(summary), std::make_unique<FleetRoute>(source, function));
  };
  router->add("/", "this page", std::make_unique<IndexRoute>(source, *router));
  add("/api/health/databases", "does each database serve? true or false", health_databases);
  add("/api/health/connections", "connections of each pool", health_connections);
  add("/api/fleet", "everything about databases, endpoints, pools and operations", fleet);
  add("/health", "each database in detail, as application/health+json", health);
  add("/api/events", "what happened lately; ?since=SEQUENCE, ?most=N", events);
  add("/livez", "the process answers (no SQL)", livez);
  add("/readyz", "every required database serves; ?verbose, ?exclude=name", readyz);
  add("/metrics", "for Prometheus", metrics);
  return router;
}

}  // namespace switchyard::inline v0::http
