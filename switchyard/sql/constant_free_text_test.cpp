// Which constants are taken out of a text, and that what is left means the same: its facts are those of the text.
#include <switchyard/sql/clock_constant.hpp>
#include <switchyard/sql/constant_free_text.hpp>
#include <switchyard/sql/facts_text.hpp>
#include <switchyard/sql/parser.hpp>

#include <switchyard/base/random.hpp>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace switchyard::sql {
namespace {

/// "type:value" of each constant, and the text.
std::string family_of(std::string_view sql) {
  ConstantFreeText found;
  if (!found.assign(sql)) return "none";
  std::string out(found.text());
  ByteView values = found.values();
  for (const Oid type : found.types()) {
    const auto size = static_cast<std::size_t>(base::load_be<std::int32_t>(values.data()));
    out += " | " + std::to_string(type) + ":" + std::string(values.substr(4, size));
    values.remove_prefix(4 + size);
  }
  EXPECT_TRUE(values.empty());
  return out;
}

/// The text, put together again.
std::string restored(const ConstantFreeText& found) {
  std::string out;
  std::string_view text = found.text();
  ByteView values = found.values();
  for (std::size_t i = 0; i < found.types().size(); ++i) {
    const std::string place = "$" + std::to_string(i + 1);
    const std::size_t at = text.find(place);
    if (at == std::string_view::npos) return "no " + place;
    out += text.substr(0, at);
    text.remove_prefix(at + place.size());
    const auto size = static_cast<std::size_t>(base::load_be<std::int32_t>(values.data()));
    const std::string_view value = values.substr(4, size);
    values.remove_prefix(4 + size);
    if (found.types()[i] != 0) {
      out += value;
      continue;
    }
    out += '\'';
    for (const char c : value) out += c == '\'' ? std::string("''") : std::string(1, c);
    out += '\'';
  }
  return out.append(text);
}

struct Row {
  std::string_view sql;
  std::string_view family;
};

constexpr Row kTaken[] = {
    {"SELECT abalance FROM pgbench_accounts WHERE aid = 4711;",
     "SELECT abalance FROM pgbench_accounts WHERE aid = $1; | 23:4711"},
    {"select 1 from t where a=5", "select 1 from t where a=$1 | 23:5"},
    {"SELECT x FROM t WHERE a <> 1 AND b != 2 OR c<3 AND d<=4 AND e>5 AND f >= 6",
     "SELECT x FROM t WHERE a <> $1 AND b != $2 OR c<$3 AND d<=$4 AND e>$5 AND f >= $6 | 23:1 | 23:2 | 23:3 | 23:4 "
     "| 23:5 | 23:6"},
    {"SELECT x FROM t WHERE a = 2147483647", "SELECT x FROM t WHERE a = $1 | 23:2147483647"},
    {"SELECT x FROM t WHERE a = 2147483648", "SELECT x FROM t WHERE a = $1 | 20:2147483648"},
    {"SELECT x FROM t WHERE a = 9223372036854775808", "SELECT x FROM t WHERE a = $1 | 1700:9223372036854775808"},
    {"SELECT x FROM t WHERE a > 1.50 AND b < 1e3 AND c = .5 AND d = 5.",
     "SELECT x FROM t WHERE a > $1 AND b < $2 AND c = $3 AND d = $4 | 1700:1.50 | 1700:1e3 | 1700:.5 | 1700:5."},
    {"SELECT x FROM t WHERE a = 'it''s' ORDER BY x", "SELECT x FROM t WHERE a = $1 ORDER BY x | 0:it's"},
    {"SELECT x FROM t WHERE a = ''", "SELECT x FROM t WHERE a = $1 | 0:"},
    {"SELECT x FROM t WHERE a IN (1, 2,'c')", "SELECT x FROM t WHERE a IN ($1, $2,$3) | 23:1 | 23:2 | 0:c"},
    {"SELECT x FROM t WHERE a NOT IN (1)", "SELECT x FROM t WHERE a NOT IN ($1) | 23:1"},
    {"SELECT x FROM t WHERE a BETWEEN 1 AND 5 AND b = 2",
     "SELECT x FROM t WHERE a BETWEEN $1 AND $2 AND b = $3 | 23:1 | 23:5 | 23:2"},
    {"SELECT x FROM t LIMIT 10 OFFSET 20", "SELECT x FROM t LIMIT $1 OFFSET $2 | 23:10 | 23:20"},
    {"SELECT x FROM t WHERE a = /* the id */ 5", "SELECT x FROM t WHERE a = /* the id */ $1 | 23:5"},
    {"SELECT x FROM t WHERE a = 5 OR b -- and 'so on", "SELECT x FROM t WHERE a = $1 OR b -- and 'so on | 23:5"},
    {"-- it's\nSELECT x FROM t WHERE a = 5", "-- it's\nSELECT x FROM t WHERE a = $1 | 23:5"},
    {"/* /* 'nested */ */SELECT x FROM t WHERE a = 5", "/* /* 'nested */ */SELECT x FROM t WHERE a = $1 | 23:5"},
    {"SELECT \"a = 5\" FROM t WHERE \"b\"\"c\" = 5", "SELECT \"a = 5\" FROM t WHERE \"b\"\"c\" = $1 | 23:5"},
    {"SELECT a = 5, b FROM t", "SELECT a = $1, b FROM t | 23:5"},
    {"SELECT x FROM t WHERE d->>'k' = 'v'", "SELECT x FROM t WHERE d->>'k' = $1 | 0:v"},
};

constexpr Row kLeft[] = {
    {"SELECT 1", "none"},
    {"SELECT 'a', 5", "none"},
    {"SELECT x FROM t WHERE a = -5", "none"},
    {"SELECT x FROM t WHERE a =-5", "none"},
    {"SELECT x FROM t WHERE a = 5 + 1", "none"},
    {"SELECT x FROM t WHERE a = 5::text", "none"},
    {"SELECT x FROM t WHERE a = '5'::int", "none"},
    {"SELECT x FROM t WHERE a = 'a' COLLATE \"C\"", "none"},
    {"SELECT x FROM t WHERE a = 'a'\n'b'", "none"},
    {"SELECT x FROM t WHERE a = 'now'", "none"},
    {"SELECT x FROM t WHERE a > 'Tomorrow'", "none"},
    {"SELECT x FROM t WHERE a = date '2020-01-01'", "none"},
    {"SELECT x FROM t WHERE a = (5)", "none"},
    {"SELECT x FROM t WHERE a = ANY('{1,2}')", "none"},
    {"SELECT x FROM t WHERE (a, b) IN ((1, 2), (3, 4))", "none"},
    {"SELECT x FROM t WHERE a @> '{}'", "none"},
    {"SELECT x FROM t WHERE a LIKE 'b%'", "none"},
    {"SELECT x FROM t WHERE a = 5 IS TRUE", "none"},
    {"SELECT x FROM t ORDER BY 1", "none"},
    {"SELECT x FROM t LIMIT 1.5", "none"},
    {"SELECT f(a => 5)", "none"},
    {"SELECT sum(x) OVER (ORDER BY y ROWS BETWEEN 1 PRECEDING AND 2 FOLLOWING) FROM t", "none"},
    // No family at all, whatever else is in it.
    {"SELECT x FROM t WHERE a = 5 AND b = $1", "none"},
    {"SELECT x FROM t WHERE a = 5 AND b = $$c$$", "none"},
    {"SELECT x FROM t WHERE a = 5 AND b = E'c'", "none"},
    {"SELECT x FROM t WHERE a = 5 AND b = U&'c'", "none"},
    {"SELECT x FROM t WHERE a = 5 AND b = B'1'", "none"},
    {"SELECT x FROM t WHERE a = 5 AND b = 'c\\'", "none"},
    {"SELECT x FROM t WHERE a = 5 AND b = 'c", "none"},
    {"SELECT x FROM t WHERE a = 5 AND b = \"c", "none"},
    {"SELECT x FROM t WHERE a = 5 /* c", "none"},
    {"SELECT x FROM t WHERE a = 5a", "none"},
    {"SELECT x FROM t WHERE a = 0x10", "none"},
    {"SELECT x FROM t WHERE a = 1_000", "none"},
    {"SELECT x FROM t WHERE a = 1e", "none"},
    {"SELECT x FROM t WHERE a = 5 \x01", "none"},
    {"", "none"},
};

TEST(ConstantFreeTextTest, ConstantsThatStandAloneAreTakenOut) {
  for (const Row& row : kTaken) EXPECT_EQ(family_of(row.sql), row.family) << row.sql;
}

TEST(ConstantFreeTextTest, WhatIsDoubtfulStays) {
  for (const Row& row : kLeft) EXPECT_EQ(family_of(row.sql), row.family) << row.sql;
}

TEST(ConstantFreeTextTest, OneTextsConstantsAreBounded) {
  std::string sql = "SELECT x FROM t WHERE a IN (1";
  for (int i = 0; i < 200; ++i) sql += ", 1";
  ConstantFreeText found;
  ASSERT_TRUE(found.assign(sql + ")"));
  EXPECT_EQ(found.types().size(), kMostConstants);
  EXPECT_EQ(restored(found), sql + ")");
}

/// What is done with a family is what would be done with each of its texts: whatever the constants are, the facts
/// are the same. Where the grammar has no place for a parameter the family is leased.
void expect_same_facts(Parser& parser, const std::string& sql, std::size_t& families) {
  ConstantFreeText found;
  if (sql.find('$') != std::string::npos || !found.assign(sql)) return;
  ++families;
  EXPECT_EQ(restored(found), sql);
  const StatementFacts of_family = parser.analyse_now(found.text());
  if (of_family.kind == StatementKind::unknown) return;
  EXPECT_EQ(text_of(of_family), text_of(parser.analyse_now(sql))) << sql << "\n" << found.text();
}

TEST(ConstantFreeTextTest, AFamilyHasTheFactsOfEachOfItsTexts) {
  Parser parser;
  std::size_t families = 0;
  for (const Row& row : kTaken) expect_same_facts(parser, std::string(row.sql), families);
  for (const char* folder : {"facts", "verdicts", "oracle"}) {
    const std::filesystem::path tables = SWITCHYARD_SOURCE_DIR "/switchyard/sql/testdata";
    for (const auto& entry : std::filesystem::directory_iterator(tables / folder)) {
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);) expect_same_facts(parser, line, families);
    }
  }
  EXPECT_GT(families, 60U);
}

/// Pieces of SQL in any order: most of it is nonsense, some of it is read by the parser.
TEST(ConstantFreeTextTest, WhateverTheTextIsNothingIsLost) {
  constexpr std::string_view kPieces[] = {"SELECT ",  "x",        " FROM t WHERE ",
                                          "a",        " = ",      "<",
                                          ">=",       "=",        " 5",
                                          "5",        "'b'",      " 'now'",
                                          "''",       " IN (",    ", ",
                                          ")",        "(",        " BETWEEN ",
                                          " AND ",    " OR ",     "-",
                                          "--",       "/*",       "*/",
                                          "\n",       "\"",       "'",
                                          "e1",       ".",        "1.5",
                                          " LIMIT ",  ";",        "::text",
                                          "$1",       "E'",       "\\",
                                          " NOT ",    " OFFSET ", "::",
                                          "\xc3\xa9", "$",        " x.y",
                                          "+"};
  Parser parser;
  Random random(7);
  std::size_t families = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string sql = random.next() % 2 == 0 ? "SELECT x FROM t WHERE a = 5" : "SELECT x FROM t WHERE a";
    const std::size_t pieces = random.next() % 12;
    for (std::size_t i = 0; i < pieces; ++i) sql += kPieces[random.next() % std::size(kPieces)];
    expect_same_facts(parser, sql, families);
  }
  EXPECT_GT(families, 1000U);
}

}  // namespace
}  // namespace switchyard::sql
