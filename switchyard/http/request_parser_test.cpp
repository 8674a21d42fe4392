#include <switchyard/http/request_parser.hpp>

#include <switchyard/http/trace.hpp>

#include <gtest/gtest.h>

namespace switchyard::inline v0::http {
namespace {

using State = RequestParser::State;

HttpLimits small_limits() {
  HttpLimits limits;
  limits.header_bytes = 256;
  limits.body_bytes = 32;
  return limits;
}

/// Parses `bytes`, handed over `step` bytes at a time.
State parse(RequestParser& parser, std::string_view bytes, std::size_t step) {
  std::string pending;
  while (parser.state() != State::complete && parser.state() != State::failed) {
    if (bytes.empty()) break;
    pending += bytes.substr(0, step);
    bytes.remove_prefix(std::min(step, bytes.size()));
    pending.erase(0, parser.feed(pending));
  }
  return parser.state();
}

constexpr std::string_view kPost =
    "POST /a%20b/c?x=1&y=%41+z&flag HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\nX-Thing: Some "
    "Value\r\n\r\nhello";

TEST(RequestParser, GivesTheSameRequestInWhateverPiecesItComes) {
  for (std::size_t step = 1; step <= kPost.size(); ++step) {
    RequestParser parser(small_limits());
    ASSERT_EQ(parse(parser, kPost, step), State::complete) << "step " << step << ": " << parser.failure();
    const HttpRequest& request = parser.request();
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.path, "/a b/c");
    EXPECT_EQ(request.header("x-thing"), "Some Value");
    EXPECT_EQ(request.body, "hello");
    ASSERT_EQ(request.query.size(), 3U);
    EXPECT_EQ(request.query[1].second, "A z");
    EXPECT_TRUE(request.has_query("flag"));
    EXPECT_TRUE(parser.keep_alive());
  }
}

TEST(RequestParser, LeavesTheNextRequestAlone) {
  RequestParser parser(small_limits());
  const std::string bytes = "GET /one HTTP/1.1\r\nHost: a\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::size_t used = parser.feed(bytes);
  ASSERT_EQ(parser.state(), State::complete);
  EXPECT_EQ(parser.request().path, "/one");
  parser.reset();
  EXPECT_FALSE(parser.started());
  parser.feed(std::string_view(bytes).substr(used));
  ASSERT_EQ(parser.state(), State::complete);
  EXPECT_EQ(parser.request().path, "/two");
}

TEST(RequestParser, ReadsChunkedBodies) {
  RequestParser parser(small_limits());
  EXPECT_EQ(
      parse(parser,
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 1),
      State::complete);
  EXPECT_EQ(parser.request().body, "abcde");
}

TEST(RequestParser, ClosesAfterHttp10AndConnectionClose) {
  RequestParser old(small_limits());
  EXPECT_EQ(parse(old, "GET / HTTP/1.0\r\n\r\n", 100), State::complete);
  EXPECT_FALSE(old.keep_alive());
  RequestParser closing(small_limits());
  EXPECT_EQ(parse(closing, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 100), State::complete);
  EXPECT_FALSE(closing.keep_alive());
}

struct Refusal {
  std::string name;
  std::string bytes;
  unsigned status;
  std::string words;
};

class RequestParserRefuses : public testing::TestWithParam<Refusal> {};

TEST_P(RequestParserRefuses, InOnePieceAndByteByByte) {
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{100'000}}) {
    RequestParser parser(small_limits());
    ASSERT_EQ(parse(parser, GetParam().bytes, step), State::failed);
    EXPECT_EQ(parser.failure_status(), GetParam().status) << parser.failure();
    EXPECT_NE(parser.failure().find(GetParam().words), std::string::npos) << parser.failure();
    EXPECT_FALSE(parser.keep_alive());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Bad, RequestParserRefuses,
    testing::Values(
        Refusal{"headers", "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(300, 'x') + "\r\n\r\n", 431,
                "header_bytes"},
        Refusal{"endless_headers", "GET / HTTP/1.1\r\n" + std::string(300, 'x'), 431, "header_bytes"},
        Refusal{"target", "GET /" + std::string(300, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n", 431, "header_bytes"},
        Refusal{"body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 33\r\n\r\n", 413, "body_bytes"},
        Refusal{"chunks",
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n30\r\n" + std::string(48, 'x') +
                    "\r\n",
                413, "body_bytes"},
        Refusal{"two_lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400,
                "malformed"},
        Refusal{"smuggling",
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
                "malformed"},
        Refusal{"no_host", "GET / HTTP/1.1\r\n\r\n", 400, "Host"},
        Refusal{"two_hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "Host"},
        Refusal{"escape", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"},
        Refusal{"nul", "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"},
        Refusal{"binary", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15), 400,
                "malformed"},
        Refusal{"version", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "HTTP/1.1"}),
    [](const auto& info) { return info.param.name; });

TEST(RequestParser, AsksOnceForTheBodyOfWhoeverExpectsContinue) {
  RequestParser parser(small_limits());
  parser.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(parser.state(), State::body);
  EXPECT_TRUE(parser.take_expect_continue());
  EXPECT_FALSE(parser.take_expect_continue());
  parser.feed("ok");
  EXPECT_EQ(parser.state(), State::complete);
}

TEST(RequestTarget, TakesTheAbsoluteFormApart) {
  HttpRequest request;
  ASSERT_TRUE(parse_target("http://host:1/path?a=b", request));
  EXPECT_EQ(request.path, "/path");
  ASSERT_TRUE(parse_target("http://host", request));
  EXPECT_EQ(request.path, "/");
  EXPECT_FALSE(parse_target("path", request));
}

TEST(TraceId, IsTheCallersWhenItSentOne) {
  HttpRequest request;
  request.headers.emplace_back("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  EXPECT_EQ(trace_id_of(request), "0af7651916cd43dd8448eb211c80319c");
  request.headers[0].second = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
  const std::string drawn = trace_id_of(request);
  EXPECT_EQ(drawn.size(), 32U);
  EXPECT_NE(drawn, std::string(32, '0'));
  EXPECT_NE(drawn, trace_id_of(request));
}

}  // namespace
}  // namespace switchyard::inline v0::http
