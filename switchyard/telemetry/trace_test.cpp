#include <switchyard/telemetry/otlp.hpp>
#include <switchyard/telemetry/span_queue.hpp>
#include <switchyard/telemetry/trace_context.hpp>

#include <gtest/gtest.h>

namespace switchyard::inline v0::telemetry {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kExample = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceParent, IsReadAndWritten) {
  const auto parent = TraceParent::parse(kExample);
  ASSERT_TRUE(parent);
  EXPECT_EQ(hex(parent->trace), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(hex(parent->span), "00f067aa0ba902b7");
  EXPECT_TRUE(parent->sampled);
  EXPECT_EQ(parent->text(), kExample);
  EXPECT_EQ(TraceParent({.trace = {1, 2}, .span = 3}).text(),
            "00-00000000000000010000000000000002-0000000000000003-00");
}

TEST(TraceParent, OfALaterVersionIsReadAsFarAsTheFirstGoes) {
  EXPECT_TRUE(TraceParent::parse("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-what-comes-later"));
  EXPECT_FALSE(TraceParent::parse("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03.what"));
}

TEST(TraceParent, IsIgnoredWhenMalformed) {
  for (const char* text : {
           "",
           "00",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
           "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
           "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
           "0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e47g6-00f067aa0ba902b7-01",
       }) {
    EXPECT_FALSE(TraceParent::parse(text)) << text;
  }
}

TEST(TraceParent, NewIdsAreNeverZeroAndNeverTheSame) {
  const TraceId a = new_trace_id();
  EXPECT_TRUE(a.valid());
  EXPECT_FALSE(a == new_trace_id());
  EXPECT_NE(new_span_id(), 0U);
}

TEST(Sampling, FollowsItsRatio) {
  EXPECT_FALSE(draw_sample(0));
  EXPECT_TRUE(draw_sample(1));
  int hits = 0;
  for (int i = 0; i < 10'000; ++i) hits += draw_sample(0.25) ? 1 : 0;
  EXPECT_GT(hits, 2'000);  // ten standard deviations away
  EXPECT_LT(hits, 3'000);
}

TEST(SpanQueue, DropsTheNewestWhenItIsFullAndCountsThem) {
  SpanQueue queue(2);
  for (const char* name : {"a", "b", "c"}) {
    Span span;
    span.name = name;
    queue.add(std::move(span));
  }
  EXPECT_EQ(queue.numbers().dropped, 1U);
  EXPECT_EQ(queue.numbers().queued, 2U);
  const auto first = queue.take(1);
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].name, "a");
  EXPECT_EQ(queue.take(10).size(), 1U);
  EXPECT_TRUE(queue.take(10).empty());
}

TEST(Otlp, WritesWhatACollectorReads) {
  Span span;
  span.trace = {0x4bf92f3577b34da6, 0xa3ce929d0e0e4736};
  span.id = 0xf067aa0ba902b7;
  span.parent = 1;
  span.name = "SELECT \"main\"\n";
  span.begun = TimePoint(10s);
  span.ended = TimePoint(10s + 5ns);
  span.attributes = {{"db.system.name", std::string("postgresql")},
                     {"server.port", std::int64_t{5432}},
                     {"share", 0.5},
                     {"retried", true}};
  span.error = "bad \xff byte";
  const ClockPair clocks{TimePoint(11s), std::chrono::system_clock::time_point(1'700'000'000s)};
  EXPECT_EQ(otlp_json({{"service.name", "wellwon"}}, {&span, 1}, clocks),
            "{\"resourceSpans\":[{\"resource\":{\"attributes\":["
            "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"wellwon\"}}]},"
            "\"scopeSpans\":[{\"scope\":{\"name\":\"switchyard\",\"version\":\"0.1.0\"},\"spans\":["
            "{\"traceId\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"spanId\":\"00f067aa0ba902b7\","
            "\"parentSpanId\":\"0000000000000001\",\"name\":\"SELECT \\\"main\\\"\\u000a\",\"kind\":3,"
            "\"startTimeUnixNano\":\"1699999999000000000\",\"endTimeUnixNano\":\"1699999999000000005\","
            "\"attributes\":[{\"key\":\"db.system.name\",\"value\":{\"stringValue\":\"postgresql\"}},"
            "{\"key\":\"server.port\",\"value\":{\"intValue\":\"5432\"}},"
            "{\"key\":\"share\",\"value\":{\"doubleValue\":0.5}},"
            "{\"key\":\"retried\",\"value\":{\"boolValue\":true}}],"
            "\"status\":{\"code\":2,\"message\":\"bad \xEF\xBF\xBD byte\"}}]}]}]}");
}

TEST(Otlp, RepeatsOnlyWhatTheProtocolAllows) {
  for (const unsigned status : {429U, 502U, 503U, 504U}) EXPECT_TRUE(otlp_retryable(status));
  for (const unsigned status : {200U, 400U, 401U, 404U, 413U, 500U}) EXPECT_FALSE(otlp_retryable(status));
}

}  // namespace
}  // namespace switchyard::inline v0::telemetry
