#include <switchyard/fleet/trace_exporter.hpp>

#include <switchyard/fleet/request_context.hpp>
#include <switchyard/httpc/testing/scripted_server.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard::inline v0::fleet {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

telemetry::Span span(std::string name) {
  telemetry::Span out;
  out.name = std::move(name);
  out.begun = out.ended = Clock::now();
  return out;
}

std::string status(unsigned code, std::string_view headers = "") {
  return "HTTP/1.1 " + std::to_string(code) + " x\r\nContent-Length: 0\r\n" + std::string(headers) + "\r\n";
}

TraceExporter::Options quick(const httpc::ScriptedServer& server) {
  TraceExporter::Options options;
  options.url = server.url("/v1/traces");
  options.interval = 1ms;
  options.first_pause = 1ms;
  options.longest_pause = 2ms;
  options.resource = {{"service.name", "wellwon"}};
  return options;
}

template <class Body>
void on_shard(Body body) {
  runtime::Shard shard;
  shard.run_until_complete(with_timeout(body(), 30s));
}

TEST(TraceExporter, SendsWhatIsQueued) {
  on_shard([]() -> Task<void> {
    httpc::ScriptedServer server;
    server.replies.push_back({status(200)});
    auto tracer = std::make_shared<Tracer>(1, 100);
    tracer->add(span("SELECT main"), nullptr);
    auto exporter = std::make_shared<TraceExporter>(quick(server), tracer);
    exporter->start();
    while (tracer->queue().numbers().exported == 0) co_await sleep(1ms);
    EXPECT_THAT(server.requests.at(0), HasSubstr("POST /v1/traces HTTP/1.1\r\n"));
    EXPECT_THAT(server.requests.at(0), HasSubstr("Content-Type: application/json\r\n"));
    EXPECT_THAT(server.requests.at(0), HasSubstr("\"name\":\"SELECT main\""));
    EXPECT_THAT(server.requests.at(0),
                HasSubstr("{\"key\":\"service.name\",\"value\":{\"stringValue\":\"wellwon\"}}"));
    co_await exporter->stop(5s);
  });
}

TEST(TraceExporter, TriesAgainOnlyWhenTheCollectorAsksForIt) {
  on_shard([]() -> Task<void> {
    httpc::ScriptedServer server;
    for (const unsigned code : {429U, 502U, 503U, 504U, 200U}) server.replies.push_back({status(code)});
    server.replies.push_back({status(400)});
    server.replies.push_back({status(200)});
    auto tracer = std::make_shared<Tracer>(1, 100);
    tracer->add(span("first"), nullptr);
    auto exporter = std::make_shared<TraceExporter>(quick(server), tracer);
    exporter->start();
    while (tracer->queue().numbers().exported == 0) co_await sleep(1ms);
    EXPECT_EQ(server.requests.size(), 5U);
    tracer->add(span("refused"), nullptr);
    while (tracer->queue().numbers().failed == 0) co_await sleep(1ms);
    EXPECT_EQ(server.requests.size(), 6U) << "400 is final";
    tracer->add(span("third"), nullptr);
    while (tracer->queue().numbers().exported != 2) co_await sleep(1ms);
    co_await exporter->stop(5s);
  });
}

TEST(TraceExporter, GivesABatchUpAfterAllItsTries) {
  on_shard([]() -> Task<void> {
    httpc::ScriptedServer server;
    for (unsigned i = 0; i < TraceExporter::kTries; ++i) server.replies.push_back({status(503)});
    auto tracer = std::make_shared<Tracer>(1, 100);
    tracer->add(span("lost"), nullptr);
    auto exporter = std::make_shared<TraceExporter>(quick(server), tracer);
    exporter->start();
    while (tracer->queue().numbers().failed == 0) co_await sleep(1ms);
    EXPECT_TRUE(server.replies.empty());
    EXPECT_EQ(tracer->queue().numbers().failed, 1U);
    co_await exporter->stop(5s);
  });
}

TEST(TraceExporter, NeverWaitsForACollectorThatIsAway) {
  on_shard([]() -> Task<void> {
    httpc::ScriptedServer server;  // says nothing
    auto tracer = std::make_shared<Tracer>(1, 3);
    auto exporter = std::make_shared<TraceExporter>(quick(server), tracer);
    exporter->start();
    tracer->add(span("sent"), nullptr);
    while (server.requests.empty()) co_await sleep(1ms);
    for (int i = 0; i < 5; ++i) tracer->add(span("waits"), nullptr);
    EXPECT_EQ(tracer->queue().numbers().queued, 3U);
    EXPECT_EQ(tracer->queue().numbers().dropped, 2U);
    exporter->abandon();
  });
}

TEST(TraceExporter, SendsTheLastSpansWhenItStops) {
  on_shard([]() -> Task<void> {
    httpc::ScriptedServer server;
    server.replies.push_back({status(200)});
    auto tracer = std::make_shared<Tracer>(1, 100);
    TraceExporter::Options options = quick(server);
    options.interval = 1h;
    auto exporter = std::make_shared<TraceExporter>(std::move(options), tracer);
    exporter->start();
    co_await yield();
    tracer->add(span("last"), nullptr);
    co_await exporter->stop(5s);
    EXPECT_EQ(tracer->queue().numbers().exported, 1U);
  });
}

TEST(TraceExporter, TakesAddressAndHeadersFromTheConfiguration) {
  FleetConfig config;
  config.telemetry.otlp_endpoint.value = "http://collector:4318/";
  config.telemetry.otlp_headers.value = Secret("Authorization=Bearer a=b,X-Tenant=7");
  const auto options = TraceExporter::options_of(config);
  ASSERT_TRUE(options.ok()) << options.error().what();
  EXPECT_EQ(options->url, "http://collector:4318/v1/traces");
  EXPECT_EQ(options->headers, (httpc::Headers{{"Authorization", "Bearer a=b"}, {"X-Tenant", "7"}}));
  config.telemetry.otlp_endpoint.value = "collector:4318";
  EXPECT_THAT(TraceExporter::options_of(config).error().what(), HasSubstr("telemetry.otlp_endpoint"));
  config.telemetry.otlp_endpoint.value = "http://collector";
  config.telemetry.otlp_headers.value = Secret("hunter2");
  const auto wrong = TraceExporter::options_of(config);
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(std::string(wrong.error().what()).find("hunter2"), std::string::npos);
}

TEST(Tracer, FollowsTheCallersDecision) {
  const auto tracer = std::make_shared<Tracer>(0, 100);
  EXPECT_FALSE(tracer->wants(nullptr));
  {
    RequestContext asked;
    asked.trace.emplace().parent = {.trace = {1, 2}, .span = 3, .sampled = true};
    EXPECT_TRUE(tracer->wants(&asked));
    tracer->add(span("SELECT main"), &asked);
    asked.label = "create-declaration";
  }
  auto spans = tracer->queue().take(10);
  ASSERT_EQ(spans.size(), 2U);
  const telemetry::Span& operation = spans[0];
  const telemetry::Span& request = spans[1];
  EXPECT_EQ(request.name, "create-declaration");
  EXPECT_EQ(request.parent, 3U);
  EXPECT_EQ(operation.parent, request.id);
  EXPECT_EQ(operation.trace, (telemetry::TraceId{1, 2}));
  EXPECT_EQ(request.trace, operation.trace);

  const auto always = std::make_shared<Tracer>(1, 100);
  RequestContext not_asked;
  not_asked.trace.emplace().parent = {.trace = {1, 2}, .span = 3, .sampled = false};
  EXPECT_FALSE(always->wants(&not_asked));
}

TEST(Tracer, OperationsOfARequestShareTheTraceThatItBegins) {
  const auto tracer = std::make_shared<Tracer>(1, 100);
  {
    RequestContext request;
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE(tracer->wants(&request));
      tracer->add(span("x"), &request);
    }
  }
  const auto spans = tracer->queue().take(10);
  ASSERT_EQ(spans.size(), 3U);
  EXPECT_TRUE(spans[0].trace.valid());
  EXPECT_EQ(spans[0].trace, spans[1].trace);
  EXPECT_EQ(spans[0].parent, spans[2].id);
  EXPECT_EQ(spans[2].parent, 0U);
}

}  // namespace
}  // namespace switchyard::inline v0::fleet
