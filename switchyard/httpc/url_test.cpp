#include <switchyard/httpc/url.hpp>

#include <gtest/gtest.h>

namespace switchyard::inline v0::httpc {
namespace {

TEST(Url, IsTakenApart) {
  const auto url = Url::parse("http://PATRONI.example:8008/cluster?a=b#part");
  ASSERT_TRUE(url.ok()) << url.error().what();
  EXPECT_FALSE(url->tls);
  EXPECT_EQ(url->host, "patroni.example");
  EXPECT_EQ(url->port, 8008);
  EXPECT_EQ(url->target, "/cluster?a=b");
  EXPECT_EQ(url->authority(), "patroni.example:8008");
  EXPECT_EQ(url->origin(), "http://patroni.example:8008");
}

TEST(Url, HasThePortOfItsSchemeAndARootTarget) {
  const auto plain = Url::parse("http://a");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->port, 80);
  EXPECT_EQ(plain->target, "/");
  EXPECT_EQ(plain->authority(), "a");
  const auto secure = Url::parse("HTTPS://a?x");
  ASSERT_TRUE(secure.ok());
  EXPECT_TRUE(secure->tls);
  EXPECT_EQ(secure->port, 443);
  EXPECT_EQ(secure->target, "/?x");
  EXPECT_EQ(secure->origin(), "https://a");
}

TEST(Url, KnowsIpv6Addresses) {
  const auto url = Url::parse("http://[::1]:8008/");
  ASSERT_TRUE(url.ok()) << url.error().what();
  EXPECT_EQ(url->host, "::1");
  EXPECT_EQ(url->authority(), "[::1]:8008");
}

TEST(Url, RefusesWhatItIsNotAndSaysWhy) {
  const std::pair<const char*, const char*> cases[] = {
      {"ftp://a", "has to begin with http:// or https://"},
      {"", "has to begin with http:// or https://"},
      {"http://", "the host is missing"},
      {"http://:80/", "the host is missing"},
      {"http://a:0/", "the port has to be a number from 1 to 65535"},
      {"http://a:65536/", "the port has to be a number from 1 to 65535"},
      {"http://a:8x/", "the port has to be a number from 1 to 65535"},
      {"http://a b/", "a space or a control character"},
      {"http://a/\r\nX: y", "a space or a control character"},
      {"http://a%41/", "the host may hold"},
      {"http://[::1/", "']' is missing"},
      {"http://[::1]x/", "only a port may follow"},
      {"http://[zz]/", "the IPv6 address is wrong"},
  };
  for (const auto& [text, why] : cases) {
    const auto url = Url::parse(text);
    ASSERT_FALSE(url.ok()) << text;
    EXPECT_EQ(url.error().kind(), ErrorKind::Config);
    EXPECT_NE(url.error().message().find(why), std::string_view::npos) << url.error().what();
  }
}

TEST(Url, NeverRepeatsTheCredentialsItRefuses) {
  const auto url = Url::parse("http://me:hunter2@a/");
  ASSERT_FALSE(url.ok());
  EXPECT_EQ(std::string_view(url.error().what()).find("hunter2"), std::string_view::npos);
}

TEST(Url, IsBounded) { EXPECT_FALSE(Url::parse("http://a/" + std::string(kMaxUrlBytes, 'x')).ok()); }

}  // namespace
}  // namespace switchyard::inline v0::httpc
