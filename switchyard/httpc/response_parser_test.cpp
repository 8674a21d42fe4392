#include <switchyard/httpc/response_parser.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard::inline v0::httpc {
namespace {

using State = ResponseParser::State;
using testing::HasSubstr;

/// Feeds the text in pieces of `piece` bytes, then the end of the connection if wanted.
ResponseParser parsed(std::string_view text, std::size_t piece = 1000, ResponseLimits limits = {},
                      ResponseParser::Body body = ResponseParser::Body::expected) {
  ResponseParser parser(limits, body);
  while (!text.empty() && !parser.done()) text.remove_prefix(parser.feed(text.substr(0, piece)));
  return parser;
}

TEST(ResponseParser, ReadsABodyOfKnownLengthHoweverItIsCut) {
  for (const std::size_t piece : {1, 2, 3, 7, 1000}) {
    auto parser =
        parsed("HTTP/1.1 200 OK\r\nContent-Type:  application/json \r\nContent-Length: 5\r\n\r\n{\"a\"}", piece);
    ASSERT_EQ(parser.state(), State::complete) << parser.failure();
    EXPECT_EQ(parser.response().status, 200U);
    EXPECT_EQ(parser.response().reason, "OK");
    EXPECT_EQ(parser.response().header("content-type"), "application/json");
    EXPECT_EQ(parser.response().body, "{\"a\"}");
    EXPECT_TRUE(parser.keep_alive());
  }
}

TEST(ResponseParser, ReadsChunksWithExtensionsAndTrailersHoweverTheyAreCut) {
  for (const std::size_t piece : {1, 2, 3, 7, 1000}) {
    auto parser = parsed(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
        "4;name=value\r\nWiki\r\n20\r\npedia, the free encyclopedia now\r\n0\r\nDigest: x\r\n\r\n",
        piece);
    ASSERT_EQ(parser.state(), State::complete) << parser.failure();
    EXPECT_EQ(parser.response().body, "Wikipedia, the free encyclopedia now");
    EXPECT_EQ(parser.response().header("digest"), "");
    EXPECT_TRUE(parser.keep_alive());
  }
}

TEST(ResponseParser, ABodyWithoutLengthLastsUntilThePeerCloses) {
  auto parser = parsed("HTTP/1.1 200 OK\r\n\r\nall of it");
  EXPECT_EQ(parser.state(), State::body);
  parser.on_end();
  ASSERT_EQ(parser.state(), State::complete);
  EXPECT_EQ(parser.response().body, "all of it");
  EXPECT_FALSE(parser.keep_alive());
}

TEST(ResponseParser, LeavesWhatFollowsTheAnswer) {
  ResponseParser parser;
  const std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
  EXPECT_EQ(parser.feed(std::string(answer) + "HTTP/1.1 500"), answer.size());
  EXPECT_EQ(parser.state(), State::complete);
}

TEST(ResponseParser, SomeAnswersHaveNoBody) {
  for (const char* text :
       {"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}) {
    auto parser = parsed(text);
    EXPECT_EQ(parser.state(), State::complete) << text;
    EXPECT_TRUE(parser.keep_alive());
  }
  EXPECT_EQ(parsed("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 1000, {}, ResponseParser::Body::none).state(),
            State::complete);
}

TEST(ResponseParser, SkipsInterimAnswers) {
  auto parser =
      parsed("HTTP/1.1 100 Continue\r\nContent-Length: 7\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 1);
  ASSERT_EQ(parser.state(), State::complete) << parser.failure();
  EXPECT_EQ(parser.response().body, "ok");
  EXPECT_EQ(parser.response().headers.size(), 1U);
}

TEST(ResponseParser, KnowsWhetherTheConnectionStays) {
  const auto keeps = [](std::string_view version, std::string_view connection) {
    return parsed("HTTP/" + std::string(version) + " 200 OK\r\nContent-Length: 0\r\n" + std::string(connection) +
                  "\r\n")
        .keep_alive();
  };
  EXPECT_TRUE(keeps("1.1", ""));
  EXPECT_FALSE(keeps("1.1", "Connection: x, CLOSE\r\n"));
  EXPECT_FALSE(keeps("1.0", ""));
  EXPECT_TRUE(keeps("1.0", "Connection: keep-alive\r\n"));
}

TEST(ResponseParser, AcceptsLinesThatEndWithALineFeedAlone) {
  auto parser = parsed("HTTP/1.1 200\nContent-Length: 1\n\nx");
  ASSERT_EQ(parser.state(), State::complete) << parser.failure();
  EXPECT_EQ(parser.response().reason, "");
}

TEST(ResponseParser, RefusesWhatCouldBeReadInTwoWays) {
  const std::pair<const char*, const char*> cases[] = {
      {"SSH-2.0-OpenSSH\r\n", "does not speak HTTP/1.1"},
      {"HTTP/2 200 OK\r\n", "status line is malformed"},
      {"HTTP/1.1 2x0 OK\r\n", "status line is malformed"},
      {"HTTP/1.1 099 OK\r\n", "status line is malformed"},
      {"HTTP/1.1 200OK\r\n", "status line is malformed"},
      {"HTTP/1.1 200 OK\r\nno colon\r\n", "a header line is malformed"},
      {"HTTP/1.1 200 OK\r\n: x\r\n", "a header line is malformed"},
      {"HTTP/1.1 200 OK\r\na : x\r\n", "a header line is malformed"},
      {"HTTP/1.1 200 OK\r\na: x\r\n folded\r\n", "a header line is malformed"},
      {"HTTP/1.1 200 OK\r\na: x\ry\r\n", "control characters"},
      {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n", "Content-Length makes no sense"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n", "Content-Length makes no sense"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n", "Content-Length makes no sense"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n", "Content-Length makes no sense"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n", "none that is understood"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
       "none that is understood"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", "and a transfer encoding"},
      {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.0 knows no transfer encoding"},
      {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "a protocol that was not asked for"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", "size of a chunk is malformed"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\n", "size of a chunk is malformed"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
       "size of a chunk is malformed"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "a chunk of the answer is longer"},
  };
  for (const auto& [text, why] : cases) {
    const auto parser = parsed(text, 3);
    EXPECT_EQ(parser.state(), State::failed) << text;
    EXPECT_THAT(std::string(parser.failure()), HasSubstr(why)) << text;
    EXPECT_FALSE(parser.keep_alive());
  }
}

TEST(ResponseParser, AnAnswerThatIsCutOffIsNoAnswer) {
  for (const char* text :
       {"HTTP/1.1 20", "HTTP/1.1 200 OK\r\na: b\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"}) {
    auto parser = parsed(text);
    parser.on_end();
    EXPECT_EQ(parser.state(), State::failed) << text;
    EXPECT_EQ(parser.failure(), "the peer closed the connection in the middle of the answer");
  }
  ResponseParser nothing;
  nothing.on_end();
  EXPECT_EQ(nothing.failure(), "the peer closed the connection without an answer");
}

TEST(ResponseParser, EveryLimitIsNamedByItsError) {
  const auto failure = [](std::string_view text, ResponseLimits limits) {
    const auto parser = parsed(text, 5, limits);
    EXPECT_EQ(parser.state(), State::failed) << text;
    return std::string(parser.failure());
  };
  const std::string head = "HTTP/1.1 200 OK\r\n";
  EXPECT_THAT(failure(head + "a: " + std::string(100, 'x') + "\r\n", {.header_bytes = 100}),
              HasSubstr("header_bytes"));
  EXPECT_THAT(failure(head + "a: b\r\na: b\r\na: b\r\n", {.headers = 2}), HasSubstr("headers (2)"));
  const std::string interim = "HTTP/1.1 103 Early Hints\r\n\r\n";
  EXPECT_THAT(failure(interim + interim + interim, {.interim_answers = 2}), HasSubstr("interim_answers (2)"));
  EXPECT_THAT(
      failure(head + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(100, 'x'), {.chunk_line_bytes = 20}),
      HasSubstr("chunk_line_bytes"));
  const ResponseLimits small{.body_bytes = 1024};
  EXPECT_THAT(failure(head + "Content-Length: 1025\r\n\r\n", small), HasSubstr("max_body_bytes (1kB)"));
  EXPECT_THAT(failure(head + "\r\n" + std::string(1025, 'x'), small), HasSubstr("max_body_bytes (1kB)"));
  EXPECT_THAT(
      failure(head + "Transfer-Encoding: chunked\r\n\r\n3ff\r\n" + std::string(1023, 'x') + "\r\n2\r\n", small),
      HasSubstr("max_body_bytes (1kB)"));
}

}  // namespace
}  // namespace switchyard::inline v0::httpc
