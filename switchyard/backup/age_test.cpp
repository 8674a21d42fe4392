// Files of age: opened here when another program made them, and known when they were changed.
#include <switchyard/backup/age_keys.hpp>
#include <switchyard/backup/age_stream.hpp>

#include <openssl/evp.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard {
namespace {

using namespace backup;
using ::testing::HasSubstr;

constexpr const char* kFirst = "AGE-SECRET-KEY-1GRFFTAZSFP67WTXD387QCM0UVAMT7SLF8ZFDT2GC85LKV622T6QSPZKU9S";
constexpr const char* kSecond = "AGE-SECRET-KEY-1ULWEQSR79LS7KE3ER44XW5Y3JQLQXENPWD85R8DVRNG6MDM2NZ7QAVUX9E";
constexpr const char* kFirstPublic = "age13na4t4ydfwqwuezfrpx47qqthud0eg6sns85p2cmsfj5fsawks7s5x976r";

/// Made by `age` 1.1.1 for both keys: "a dump made elsewhere\n".
constexpr std::string_view kForeign =
    "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSAwc0JRZVZMTnROUHF0NzNTQkhjN3FRRmwrNFphZFY2Y0c3Z0FrSklsVFc4CllzVldt"
    "cmVONnR4Ri9oeHpmS2xNOVhPS1lDeURLdHhkU1dPcnI5T25XeTgKLT4gWDI1NTE5IHdlNFh0OVdKUHpXNzZ2aER2SDVoa21jczd1SnFaSjBC"
    "VkxGZUxNMnJGRWsKV3hTZC95THdSaTRmR1ZnRElPak9SVS9CU21ROTFPTzkvWmtMcUg5TDY2OAotLS0gVTJEVFdscHEwWHBBMThZMzlGbk1E"
    "YTBEVTJZQ01ycGhBVlk1Z1VOK05lNApHadsdYeREk+HJrpT/oGwZsfZJOZv5NSHsPqtqkOJDVhXKfD+iqRUq8voKdwD1RTLVcK9tbqs=";

std::string decode(std::string_view text) {
  std::string bytes(text.size() / 4 * 3, '\0');
  EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                  reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  for (; text.ends_with('='); text.remove_suffix(1)) bytes.pop_back();
  return bytes;
}

std::vector<AgeIdentity> identities(const char* text) { return parse_identities(Secret(text)).value_or_throw(); }

Result<std::string> open(std::string_view sealed, const char* key, std::size_t piece = 1000) {
  AgeDecryptor decryptor(identities(key));
  std::string clear;
  for (std::string_view rest = sealed; !rest.empty(); rest.remove_prefix(std::min(piece, rest.size()))) {
    SY_TRY(decryptor.write(rest.substr(0, piece), clear));
  }
  SY_TRY(decryptor.finish(clear));
  return clear;
}

std::string seal(std::string_view clear, std::size_t piece = 7000) {
  std::string sealed;
  auto encryptor = AgeEncryptor::begin({parse_recipient(kFirstPublic).value_or_throw()}, sealed).value_or_throw();
  for (std::string_view rest = clear; !rest.empty(); rest.remove_prefix(std::min(piece, rest.size()))) {
    encryptor.write(rest.substr(0, piece), sealed).value_or_throw();
  }
  encryptor.finish(sealed).value_or_throw();
  return sealed;
}

TEST(Age, OpensWhatTheProgramAgeMadeWithAnyOfItsKeys) {
  for (const char* key : {kFirst, kSecond}) {
    for (const std::size_t piece : {1UL, 63UL, 1000UL}) {
      EXPECT_EQ(open(decode(kForeign), key, piece).value_or_throw(), "a dump made elsewhere\n");
    }
  }
}

TEST(Age, GivesBackWhatItTookWhateverTheLength) {
  for (const std::size_t size : {0UL, 1UL, 65535UL, 65536UL, 65537UL, 131072UL, 300000UL}) {
    std::string clear(size, 'x');
    for (std::size_t i = 0; i < size; ++i) clear[i] = static_cast<char>(i * 7);
    EXPECT_EQ(open(seal(clear), kFirst, 9999).value_or_throw(), clear) << size;
  }
}

TEST(Age, WithAnotherKeyGivesOneClearError) {
  const auto opened = open(seal("secret"), kSecond);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind(), ErrorKind::Config);
  EXPECT_THAT(std::string(opened.error().message()), HasSubstr("wrong key"));
}

TEST(Age, KnowsEveryByteThatWasChanged) {
  const std::string sealed = seal(std::string(200, 'x'));
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(open(changed, kFirst).ok()) << i;
  }
}

TEST(Age, KnowsAFileThatWasCutShort) {
  const std::string sealed = seal(std::string(200'000, 'x'));
  for (const std::size_t size : {10UL, 100UL, 250UL, 40'000UL, 66'000UL, sealed.size() - 1}) {
    EXPECT_FALSE(open(std::string_view(sealed).substr(0, size), kFirst).ok()) << size;
  }
  // At the end of a chunk, where nothing else would be missing.
  const std::size_t header = sealed.find("--- ") + 4 + 43 + 1 + 16;
  EXPECT_FALSE(open(std::string_view(sealed).substr(0, header + 65536 + 16), kFirst).ok());
  EXPECT_FALSE(open(sealed + "x", kFirst).ok());
}

TEST(AgeKeys, AreReadAndWrittenAsAgeKeygenDoes) {
  const auto read =
      identities((std::string("# created: 2026-11-22T01:52:16Z\n\n") + kFirst + "\r\n" + kSecond + "\n").c_str());
  ASSERT_EQ(read.size(), 2U);
  EXPECT_EQ(read[0].text().reveal(), kFirst);
  EXPECT_EQ(read[0].recipient().value_or_throw().text(), kFirstPublic);
  const AgeIdentity made = new_identity().value_or_throw();
  EXPECT_EQ(identities(made.text().reveal().c_str())[0].key, made.key);
}

TEST(AgeKeys, WithATypingMistakeAreRefusedWithoutBeingShown) {
  std::string wrong = kFirst;
  wrong[30] = wrong[30] == 'Q' ? 'P' : 'Q';
  const auto refused = parse_identities(Secret("# a comment\n" + wrong));
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(std::string(refused.error().what()), HasSubstr("line 2"));
  EXPECT_THAT(std::string(refused.error().what()), ::testing::Not(HasSubstr(wrong.substr(20, 10))));
  EXPECT_FALSE(parse_recipient("age1qqqqqqqq").ok());
  EXPECT_THAT(std::string(parse_recipient(kFirst).error().what()), HasSubstr("public"));
  EXPECT_FALSE(parse_identities(Secret("# nothing\n")).ok());
}

}  // namespace
}  // namespace switchyard
