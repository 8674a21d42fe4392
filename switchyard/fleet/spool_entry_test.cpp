// The bytes of a spooled write, and their seal.
#include <switchyard/base/random.hpp>
#include <switchyard/fleet/spool_cipher.hpp>
#include <switchyard/fleet/spool_entry.hpp>
#include <switchyard/session/result_states.hpp>

#include <gtest/gtest.h>

namespace switchyard::fleet {
namespace {

session::StatementPart part(std::string sql) {
  session::StatementPart out;
  out.sql = std::move(sql);
  return out;
}

template <class... Arguments>
session::StatementPart part(std::string sql, const Arguments&... arguments) {
  session::StatementPart out = part(std::move(sql));
  out.parameters.encode(arguments...).value_or_throw();
  return out;
}

session::OperationPtr<session::AffectedState> operation(std::vector<session::StatementPart> parts) {
  auto state = session::AffectedState::create();
  state->parts = std::move(parts);
  return state;
}

std::vector<session::StatementPart> some_parts() {
  std::vector<session::StatementPart> parts;
  parts.push_back(part("INSERT INTO facts VALUES ($1, $2, $3)", 7, "text with '", std::optional<std::int64_t>()));
  parts.push_back(part("DELETE FROM facts"));
  parts.push_back(part("UPDATE facts SET a = $1, b = $2", std::vector<std::int32_t>{1, 2}, 2.5));
  return parts;
}

SpoolEntry entry_of(const session::OperationState& from) {
  SpoolEntry entry;
  append_to_entry(entry, from).value_or_throw();
  return entry;
}

void expect_same(const Parameters& a, const Parameters& b) {
  EXPECT_TRUE(std::ranges::equal(a.types(), b.types()));
  EXPECT_TRUE(std::ranges::equal(a.formats(), b.formats()));
  EXPECT_EQ(a.bind_section(), b.bind_section());
}

TEST(SpoolEntry, ComesBackAsItWent) {
  const auto written = operation(some_parts());
  const auto bytes = encode_entry(entry_of(*written)).value_or_throw();
  const SpoolEntry read = decode_entry(bytes).value_or_throw();
  ASSERT_EQ(read.size(), 3U);
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].sql, written->parts[i].sql);
    ASSERT_EQ(read[i].sets.size(), 1U);
    expect_same(read[i].sets[0], written->parts[i].parameters);
  }
}

TEST(SpoolEntry, KeepsEveryRowOfExecuteMany) {
  std::vector<session::StatementPart> parts;
  parts.push_back(part("INSERT INTO t VALUES ($1)", 1));
  auto many = operation(std::move(parts));
  for (int i = 2; i <= 5; ++i) many->repeats.emplace_back().encode(i).value_or_throw();
  const SpoolEntry read = decode_entry(encode_entry(entry_of(*many)).value_or_throw()).value_or_throw();
  ASSERT_EQ(read.size(), 1U);
  ASSERT_EQ(read[0].sets.size(), 5U);
  expect_same(read[0].sets[4], many->repeats[3]);
  EXPECT_EQ(summary_of(read), "INSERT INTO t VALUES ($1) (5 times)");
}

TEST(SpoolEntry, RefusesWhatCanNotBeRunLater) {
  for (const char* sql : {"COMMIT", "BEGIN", "SET search_path = x", "CALL p()", "DO $$BEGIN END$$", "LISTEN c",
                          "CREATE TEMP TABLE t (i int)", "/* x */ rollback"}) {
    std::vector<session::StatementPart> parts;
    parts.push_back(part(sql));
    SpoolEntry entry;
    const auto result = append_to_entry(entry, *operation(std::move(parts)));
    ASSERT_FALSE(result.ok()) << sql;
    EXPECT_EQ(result.error().kind(), ErrorKind::Usage) << sql;
    EXPECT_TRUE(entry.empty()) << sql;
  }
  std::vector<session::StatementPart> parts;
  parts.push_back(part("INSERT INTO t VALUES (1)"));
  const auto script = operation(std::move(parts));
  script->script = true;
  SpoolEntry entry;
  EXPECT_FALSE(append_to_entry(entry, *script).ok());
}

TEST(SpoolEntry, ASummaryShowsNoValues) {
  std::vector<session::StatementPart> parts;
  parts.push_back(part("INSERT INTO t VALUES ('secret', 12)"));
  parts.push_back(part("DELETE FROM t"));
  EXPECT_EQ(summary_of(entry_of(*operation(std::move(parts)))), "INSERT INTO t VALUES (?, ?) (and 1 more)");
}

TEST(SpoolEntry, TooLargeNamesTheLimit) {
  std::vector<session::StatementPart> parts;
  parts.push_back(part("INSERT INTO t VALUES ($1)", std::string(kMaxSpoolEntryBytes, 'x')));
  const auto result = encode_entry(entry_of(*operation(std::move(parts))));
  ASSERT_FALSE(result.ok());
  EXPECT_NE(std::string(result.error().what()).find("16MB"), std::string::npos) << result.error().what();
}

TEST(SpoolEntry, EveryCutIsRefused) {
  const auto bytes = encode_entry(entry_of(*operation(some_parts()))).value_or_throw();
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const auto cut = decode_entry(std::string_view(bytes).substr(0, length));
    ASSERT_FALSE(cut.ok()) << length;
    EXPECT_EQ(cut.error().kind(), ErrorKind::Protocol);
  }
  EXPECT_FALSE(decode_entry(bytes + "x").ok());
}

TEST(SpoolEntry, ChangedBytesAreRefusedOrMeanSomethingElseButNeverHarm) {
  const auto bytes = encode_entry(entry_of(*operation(some_parts()))).value_or_throw();
  Random random(20240607);
  for (int round = 0; round < 20000; ++round) {
    std::string changed = bytes;
    for (std::uint64_t n = random.next() % 4; n != ~0ULL; --n) {
      changed[random.next() % changed.size()] = static_cast<char>(random.next());
    }
    if (const auto read = decode_entry(changed); read.ok()) {
      // What is accepted is a whole entry: it encodes to the same bytes again.
      EXPECT_EQ(encode_entry(*read).value_or_throw(), changed);
    }
  }
}

TEST(SpoolCipher, OpensWhatItSealed) {
  const auto cipher = SpoolCipher::make(Secret(std::string(64, 'a'))).value_or_throw();
  const Uuid entry = random_uuid().value_or_throw();
  for (const std::string& clear : {std::string(), std::string("x"), std::string(100000, 'q')}) {
    const auto sealed = cipher.seal("compliance", entry, clear).value_or_throw();
    EXPECT_EQ(sealed.size(), clear.size() + 28);
    EXPECT_EQ(cipher.open("compliance", entry, sealed).value_or_throw(), clear);
    if (clear.size() > 1) EXPECT_EQ(sealed.find("qqqq"), std::string::npos);
    // The same entry sealed again looks different.
    EXPECT_NE(cipher.seal("compliance", entry, clear).value_or_throw(), sealed);
  }
}

TEST(SpoolCipher, RefusesAnythingElse) {
  const auto cipher = SpoolCipher::make(Secret(std::string(64, 'a'))).value_or_throw();
  const auto other = SpoolCipher::make(Secret(std::string(64, 'b'))).value_or_throw();
  const Uuid entry = random_uuid().value_or_throw();
  const Uuid another = random_uuid().value_or_throw();
  const auto sealed = cipher.seal("compliance", entry, "filing").value_or_throw();
  EXPECT_FALSE(other.open("compliance", entry, sealed).ok());
  EXPECT_FALSE(cipher.open("analytics", entry, sealed).ok());
  EXPECT_FALSE(cipher.open("compliance", another, sealed).ok());
  for (std::size_t at = 0; at < sealed.size(); ++at) {
    std::string changed = sealed;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_FALSE(cipher.open("compliance", entry, changed).ok()) << at;
  }
  for (std::size_t length = 0; length < sealed.size(); ++length) {
    EXPECT_FALSE(cipher.open("compliance", entry, std::string_view(sealed).substr(0, length)).ok()) << length;
  }
}

TEST(SpoolCipher, TakesAKeyOf32BytesOnly) {
  EXPECT_TRUE(SpoolCipher::make(Secret("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")).ok());
  for (const char* key : {"", "secret", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh==", "zz",
                          "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}) {
    const auto made = SpoolCipher::make(Secret(key));
    ASSERT_FALSE(made.ok()) << key;
    EXPECT_NE(std::string(made.error().what()).find("openssl rand"), std::string::npos);
  }
}

}  // namespace
}  // namespace switchyard::fleet
