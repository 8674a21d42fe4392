#include <switchyard/gateway/access_rules.hpp>

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <vector>

namespace switchyard::gateway {
namespace {

AccessRules rules(std::string_view text) {
  auto parsed = AccessRules::parse(text, "pg_hba.conf");
  EXPECT_TRUE(parsed.ok()) << parsed.error().what();
  return parsed.ok() ? *parsed : AccessRules();
}
std::string refusal(std::string_view text) {
  const auto parsed = AccessRules::parse(text, "pg_hba.conf");
  return parsed.ok() ? "no error" : std::string(parsed.error().what());
}
AccessQuestion local(std::string_view user, std::vector<std::string_view> databases) {
  return {.local = true, .tls = false, .address = {}, .own = {}, .databases = std::move(databases), .user = user};
}
AccessQuestion from(std::string_view ip, std::string_view user = "api", bool tls = false) {
  return {.local = false,
          .tls = tls,
          .address = *runtime::SocketAddress::ip(ip, 5000),
          .own = *runtime::SocketAddress::ip("10.1.1.1", 6433),
          .databases = {"ref:read", "reference", "wellwon_reference"},
          .user = user};
}
/// The line whose rule decides; 0: none.
int line_for(const AccessRules& rules, const AccessQuestion& question) {
  const AccessRule* rule = rules.find(question);
  return rule == nullptr ? 0 : std::stoi(rule->place.substr(rule->place.rfind(':') + 1));
}

TEST(AccessRules, TheFirstThatFitsDecides) {
  const AccessRules all = rules(
      "# comment\n"
      "local   all            postgres                    peer\n"
      "host    reference      api    10.0.0.0/8           scram-sha-256 # behind\n"
      "host    reference      all    10.0.0.0 255.0.0.0   reject\n"
      "hostssl all            all    all                  md5\n"
      "host    sameuser,other \"all\"  ::1/128            trust\n");
  EXPECT_EQ(all.size(), 5u);
  EXPECT_EQ(line_for(all, local("postgres", {"x"})), 2);
  EXPECT_EQ(line_for(all, local("api", {"x"})), 0);
  EXPECT_EQ(line_for(all, from("10.2.3.4")), 3);
  EXPECT_EQ(line_for(all, from("10.2.3.4", "other")), 4);
  EXPECT_EQ(line_for(all, from("11.2.3.4", "other")), 0);
  EXPECT_EQ(line_for(all, from("11.2.3.4", "other", true)), 5);
  AccessQuestion v6 = from("::1", "all");
  EXPECT_EQ(line_for(all, v6), 0);
  v6.databases = {"other"};
  EXPECT_EQ(line_for(all, v6), 6);
  v6.user = "api";
  EXPECT_EQ(line_for(all, v6), 0) << "a quoted all is a user of that name";
}

TEST(AccessRules, ADatabaseIsMeantByEachOfItsNames) {
  for (const char* name : {"ref:read", "reference", "wellwon_reference", "all"}) {
    EXPECT_EQ(line_for(rules("host " + std::string(name) + " all all reject"), from("10.0.0.1")), 1) << name;
  }
  EXPECT_EQ(line_for(rules("host main all all reject"), from("10.0.0.1")), 0);
  EXPECT_EQ(line_for(rules("host replication all all trust"), from("10.0.0.1")), 0);
}

TEST(AccessRules, WhereOnlyNamesOfTheFleetCountAServersDatabaseOfThatNameIsAnother) {
  AccessRules rules = AccessRules::parse({"local main all trust"}, "own servers").value_or_throw();
  AccessQuestion question;
  question.local = true;
  question.databases = {"prod", "main"};
  question.fleet_database = "prod";
  question.user = "ada";
  EXPECT_NE(rules.find(question), nullptr);
  rules.mean_fleet_names();
  EXPECT_EQ(rules.find(question), nullptr);
  question.fleet_database = "main";
  EXPECT_NE(rules.find(question), nullptr);
}

TEST(AccessRules, AddressesOfIpv4InIpv6CountAsIpv4) {
  const AccessRules all = rules("host all all 10.0.0.0/8 trust\nhost all all ::/0 reject\n");
  EXPECT_EQ(line_for(all, from("::ffff:10.1.2.3")), 1);
  EXPECT_EQ(line_for(all, from("fe80::1")), 2);
  EXPECT_EQ(line_for(rules("host all all samehost trust"), from("10.1.1.1")), 1);
  EXPECT_EQ(line_for(rules("host all all samehost trust"), from("10.1.1.2")), 0);
  EXPECT_EQ(line_for(rules("host all all 10.1.1.128/25 trust"), from("10.1.1.127")), 0);
  EXPECT_EQ(line_for(rules("host all all 10.1.1.128/25 trust"), from("10.1.1.200")), 1);
  EXPECT_EQ(line_for(rules("host all all 0.0.0.0/0 trust"), from("::1")), 0);
  const AccessRules mapped = rules("host all all ::ffff:10.0.0.0/104 reject\nhost all all 0.0.0.0/0 trust\n");
  EXPECT_EQ(line_for(mapped, from("10.1.2.3")), 1);
  EXPECT_EQ(line_for(mapped, from("::ffff:10.1.2.3")), 1);
  EXPECT_EQ(line_for(mapped, from("11.1.2.3")), 2);
  const auto wide = AccessRules::parse("host all all ::ffff:10.0.0.0/90 reject\n", "pg_hba.conf");
  ASSERT_FALSE(wide.ok());
  EXPECT_NE(wide.error().message().find("goes beyond"), std::string_view::npos);
}

TEST(AccessRules, WhatIsNotUnderstoodIsAnErrorWithItsLine) {
  const auto says = [](const std::string& text, const std::string& what) {
    const std::string error = refusal(text);
    EXPECT_NE(error.find(what), std::string::npos) << text << ": " << error;
  };
  says("\nhosts all all all trust", "pg_hba.conf:2: invalid connection type \"hosts\"");
  says("host all all", "the line ends before the address");
  says("host all all all", "the line ends before the authentication method");
  says("host all all db.example.com trust", "\"db.example.com\" is no IP address");
  says("host all all 10.0.0.0/33 trust", "invalid CIDR mask");
  says("host all all 10.0.0.0 trust", "\"trust\" is no mask");
  says("host all all all scram-sha256", "did you mean 'scram-sha-256'?");
  says("host all +staff all trust", "memberships of roles");
  says("host @names all all trust", "files of names");
  says("host all /^a all trust", "regular expressions");
  says("host all all all cert", "only supported on hostssl");
  says("host all all all peer", "only supported on local");
  says("host all all all trust clientcert=verify-full", "hostssl rows");
  says("hostssl all all all md5 map=x", "unrecognized authentication option \"map=x\"");
  says("host \"all all all trust", "a quote is not closed");
  says("hostgssenc all all all trust", "GSSAPI");
  says("include x", "includes are not followed");
}

TEST(AccessRules, AnyTextIsEitherRulesOrAnErrorWithItsLine) {
  std::minstd_rand random(7);
  const std::array<std::string_view, 22> words{"local",    "host",
                                               "hostssl",  "all",
                                               "\"",       ",",
                                               "#",        "10.0.0.0/8",
                                               "::1/128",  "::1",
                                               "trust",    "cert",
                                               "reject",   "a",
                                               "sameuser", "\n",
                                               "\t",       "255.255.255.0",
                                               "/",        "@",
                                               "\xff\xfe", "clientcert=verify-full"};
  int understood = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (std::size_t n = random() % 9; n > 0; --n) {
      text += words[random() % words.size()];
      if (random() % 3 != 0) text += ' ';
    }
    const auto parsed = AccessRules::parse(text, "hba");
    if (parsed.ok()) {
      understood += parsed->empty() ? 0 : 1;
      (void)parsed->find(from("10.1.2.3"));
      (void)parsed->find(local("a", {"a"}));
    } else {
      ASSERT_EQ(parsed.error().kind(), ErrorKind::Config);
      ASSERT_TRUE(parsed.error().message().starts_with("hba:")) << parsed.error().message();
    }
  }
  EXPECT_GT(understood, 3);
}

TEST(AccessRules, ARefusalReadsLikeTheServers) {
  EXPECT_EQ(access_denied_message(from("10.0.0.1"), "reference", false),
            "no pg_hba.conf entry for host \"10.0.0.1\", user \"api\", database \"reference\", no encryption");
  EXPECT_EQ(access_denied_message(from("10.0.0.1", "api", true), "reference", true),
            "pg_hba.conf rejects connection for host \"10.0.0.1\", user \"api\", database \"reference\", SSL "
            "encryption");
  EXPECT_EQ(access_denied_message(local("api", {"reference"}), "reference", false),
            "no pg_hba.conf entry for host \"[local]\", user \"api\", database \"reference\", no encryption");
}

}  // namespace
}  // namespace switchyard::gateway
