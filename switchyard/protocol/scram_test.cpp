#include <switchyard/protocol/scram.hpp>

#include <switchyard/protocol/crypto.hpp>
#include <switchyard/protocol/saslprep.hpp>
#include <switchyard/protocol/scram_server.hpp>
#include <switchyard/protocol/scram_verifier.hpp>

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0::protocol {
namespace {

NonceSource fixed(std::string nonce) {
  return [nonce] { return nonce; };
}

// RFC 7677 section 3.
const std::string kClientNonce = "rOprNGfwEbeRWgbNEkqO";
const std::string kServerNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const std::string kServerFirst = "r=" + kClientNonce + kServerNonce + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const std::string kClientFinal =
    "c=biws,r=" + kClientNonce + kServerNonce + ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const std::string kServerFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

ScramClient rfc_client() {
  ScramClient::Options options;
  options.nonce = fixed(kClientNonce);
  options.user = "user";
  return ScramClient(Secret("pencil"), options);
}

TEST(Scram, TheExampleOfRfc7677ComesOutByteForByte) {
  ScramClient client = rfc_client();
  EXPECT_EQ(*client.start(), "n,,n=user,r=" + kClientNonce);
  EXPECT_EQ(*client.respond(kServerFirst), kClientFinal);
  EXPECT_FALSE(client.finished());
  EXPECT_TRUE(client.finish(kServerFinal).ok());
  EXPECT_TRUE(client.finished());
}

TEST(Scram, TheServerSideOfTheExampleComesOutToo) {
  const auto salt = crypto::base64_decode("W22ZaJ0SNY7soEsUEjb6gQ==");
  ASSERT_TRUE(salt);
  ScramServer::Options options;
  options.nonce = fixed(kServerNonce);
  ScramServer server(ScramVerifier::make(Secret("pencil"), *salt, 4096), options);
  EXPECT_EQ(*server.start("n,,n=user,r=" + kClientNonce), kServerFirst);
  EXPECT_EQ(*server.finish(kClientFinal), kServerFinal);
}

TEST(Scram, NamesAreEscaped) {
  ScramClient::Options options;
  options.nonce = fixed("x");
  options.user = "a,b=c";
  EXPECT_EQ(*ScramClient(Secret("p"), options).start(), "n,,n=a=2Cb=3Dc,r=x");
}

TEST(Scram, NoncesAreFreshAndPrintable) {
  ScramClient a(Secret("p"), {});
  ScramClient b(Secret("p"), {});
  const std::string first = *a.start();
  EXPECT_EQ(first.size(), std::string("n,,n=,r=").size() + 24);
  EXPECT_NE(first, *b.start());
}

TEST(Scram, ServerFirstMessagesThatAreWrongAreRefused) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "malformed SCRAM message: no nonce"},
      {"s=QQ==,i=1", "malformed SCRAM message: no nonce"},
      {"m=ext,r=x", "malformed SCRAM message: no nonce"},
      {"r=other,s=QQ==,i=4096", "invalid SCRAM response: the server's nonce does not extend ours"},
      {"r=" + kClientNonce + ",s=QQ==,i=4096", "invalid SCRAM response: the server's nonce does not extend ours"},
      {"r=" + kClientNonce + "x", "malformed SCRAM message: invalid salt"},
      {"r=" + kClientNonce + "x,s=,i=4096", "malformed SCRAM message: invalid salt"},
      {"r=" + kClientNonce + "x,s=Q,i=4096", "malformed SCRAM message: invalid salt"},
      {"r=" + kClientNonce + "x,s=QQ==", "malformed SCRAM message: no iteration count"},
      {"r=" + kClientNonce + "x,s=QQ==,i=", "malformed SCRAM message: invalid iteration count"},
      {"r=" + kClientNonce + "x,s=QQ==,i=0", "malformed SCRAM message: invalid iteration count"},
      {"r=" + kClientNonce + "x,s=QQ==,i=-1", "malformed SCRAM message: invalid iteration count"},
      {"r=" + kClientNonce + "x,s=QQ==,i=1x", "malformed SCRAM message: invalid iteration count"},
      {"r=" + kClientNonce + "x,s=QQ==,i=100001",
       "the server asks for 100001 SCRAM iterations, scram_max_iterations is 100000"},
      {"r=" + kClientNonce + "x,s=QQ==,i=99999999999",
       "the server asks for too many SCRAM iterations, scram_max_iterations is 100000"},
      {"r=" + kClientNonce + "x,s=QQ==,i=1,e=1",
       "malformed SCRAM message: unknown attribute behind the iteration count"},
  };
  for (const auto& [message, text] : cases) {
    ScramClient client = rfc_client();
    ASSERT_TRUE(client.start().ok());
    const auto answer = client.respond(message);
    ASSERT_FALSE(answer.ok()) << message;
    EXPECT_EQ(answer.error().message(), text);
    EXPECT_FALSE(client.respond(kServerFirst).ok()) << "there is no second try";
  }
}

TEST(Scram, AServerThatDoesNotKnowThePasswordIsRefused) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"v=" + crypto::base64_encode(std::string(32, '\0')),
       "incorrect server signature: the server does not know the password"},
      {"v=QQ==", "incorrect server signature: the server does not know the password"},
      {"e=other-error", "error received from server in SCRAM exchange: other-error"},
      {"", "malformed SCRAM message: invalid server signature"},
      {kServerFinal + ",x=1", "malformed SCRAM message: invalid server signature"},
  };
  for (const auto& [message, text] : cases) {
    ScramClient client = rfc_client();
    ASSERT_TRUE(client.start().ok());
    ASSERT_TRUE(client.respond(kServerFirst).ok());
    const auto proof = client.finish(message);
    ASSERT_FALSE(proof.ok());
    EXPECT_EQ(proof.error().message(), text);
    EXPECT_FALSE(client.finished());
    EXPECT_FALSE(client.finish(kServerFinal).ok());
  }
}

TEST(Scram, MessagesOutOfOrderAreRefused) {
  ScramClient client = rfc_client();
  EXPECT_FALSE(client.respond(kServerFirst).ok());
  EXPECT_FALSE(client.finish(kServerFinal).ok());
}

TEST(Scram, OneOfSeveralPasswordsIsEnough) {
  const auto verifier = [](const char* password) { return ScramVerifier::make(Secret(password), "salt", 10); };
  for (const auto& [password, right] : {std::pair("old", true), std::pair("new", true), std::pair("none", false)}) {
    ScramServer::Options options;
    options.others = {verifier("old")};
    ScramServer server(verifier("new"), options);
    ScramClient client{Secret(password), ScramClient::Options{}};
    const auto challenge = server.start(*client.start());
    ASSERT_TRUE(challenge.ok());
    const auto answer = server.finish(*client.respond(*challenge));
    EXPECT_EQ(answer.ok(), right) << password;
    if (answer.ok()) EXPECT_TRUE(client.finish(*answer).ok()) << password;
  }
}

TEST(Scram, AClientWithAnotherPasswordIsRefused) {
  ScramClient::Options options;
  options.nonce = fixed("c");
  ScramClient client(Secret("wrong"), options);
  ScramServer server(ScramVerifier::make(Secret("right"), "salt", 10), {});
  const auto first = server.start(*client.start());
  ASSERT_TRUE(first.ok());
  const auto final_message = client.respond(*first);
  ASSERT_TRUE(final_message.ok());
  EXPECT_EQ(server.finish(*final_message).error().message(), "password authentication failed");
}

TEST(Scram, AServerThatOfferedBindingNoticesItsOfferWasHidden) {
  ScramServer::Options options;
  options.plus_offered = true;
  ScramServer server(ScramVerifier::make(Secret("p"), "salt", 10), options);
  EXPECT_FALSE(server.start("y,,n=,r=abc").ok());
}

TEST(Scram, ClientMessagesThatAreWrongAreRefused) {
  const ScramVerifier verifier = ScramVerifier::make(Secret("p"), "salt", 10);
  for (const std::string_view message : {"", "n", "n,", "n,,", "n,,n=", "n,,n=,r=", "n,a=x,n=,r=abc", "x,,n=,r=abc",
                                         "p=tls-server-end-point,,n=,r=abc", "n,,r=abc", "n,,n=,r=a\x01"}) {
    EXPECT_FALSE(ScramServer(verifier, {}).start(message).ok()) << message;
  }
  for (const std::string_view message : {"", "c=biws", "c=biws,r=abcS", "c=biws,r=abcS,p=", "c=biws,r=abcS,p=QQ==",
                                         "c=eSws,r=abcS,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                                         "c=biws,r=abcT,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="}) {
    ScramServer::Options options;
    options.nonce = fixed("S");
    ScramServer server(verifier, options);
    ASSERT_TRUE(server.start("n,,n=,r=abc").ok());
    EXPECT_FALSE(server.finish(message).ok()) << message;
  }
}

TEST(ScramVerifierText, RoundTripsAndRefusesNonsense) {
  const ScramVerifier verifier = ScramVerifier::make(Secret("pencil"), "some salt", 4096);
  const auto parsed = ScramVerifier::parse(verifier.text());
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->text(), verifier.text());
  const std::string text = verifier.text();
  for (const std::string& bad :
       {std::string(), std::string("md5abc"), text.substr(0, text.size() - 1), text + "x",
        std::string("SCRAM-SHA-256$0:c2FsdA==$x:y"), std::string("SCRAM-SHA-256$99999999999:c2FsdA==$x:y")}) {
    EXPECT_FALSE(ScramVerifier::parse(bad).ok()) << bad;
  }
}

// ---- SASLprep -------------------------------------------------------------------------------------------------

TEST(Saslprep, TheExamplesOfRfc4013) {
  EXPECT_EQ(saslprep("I\u00ADX"), "IX");
  EXPECT_EQ(saslprep("user"), "user");
  EXPECT_EQ(saslprep("USER"), "USER");
  EXPECT_EQ(saslprep("\u00AA"), "a");
  EXPECT_EQ(saslprep("\u2168"), "IX");
  EXPECT_EQ(saslprep("\u0627\u0031"), std::nullopt);
}

TEST(Saslprep, AsciiIsLeftAlone) {
  EXPECT_EQ(saslprep("tab\tand\x01 control"), "tab\tand\x01 control");
  EXPECT_EQ(saslprep(""), "");
}

TEST(Saslprep, SpacesAndInvisibleCharactersAreMapped) {
  EXPECT_EQ(saslprep("a\u00A0b\u3000c"), "a b c");
  EXPECT_EQ(saslprep("a\u200Db"), "ab");
  EXPECT_EQ(saslprep("\u00AD"), std::nullopt) << "nothing is left";
}

TEST(Saslprep, CompositionFollowsTheCanonicalOrder) {
  EXPECT_EQ(saslprep("e\u0301"), "\u00E9");
  // U+0323 (below) sorts before U+0307 (above) and joins first.
  EXPECT_EQ(saslprep("q\u0307\u0323"), "q\u0323\u0307");
  EXPECT_EQ(saslprep("s\u0307\u0323"), "\u1E69");
  EXPECT_EQ(saslprep("\uFB01"), "fi");
  EXPECT_EQ(saslprep("\u2126"), "\u03A9");
  // Excluded from composition: stays apart.
  EXPECT_EQ(saslprep("\u0958"), "\u0915\u093C");
}

TEST(Saslprep, HangulIsComposedByArithmetic) {
  EXPECT_EQ(saslprep("\u1112\u1161\u11AB"), "\uD55C");
  EXPECT_EQ(saslprep("\uD55C\uAE00"), "\uD55C\uAE00");
}

TEST(Saslprep, ProhibitedUnassignedAndInvalidTextIsRefused) {
  EXPECT_EQ(saslprep("a\u0085\u00E9"), std::nullopt) << "a control character";
  EXPECT_EQ(saslprep("\uE000"), std::nullopt) << "private use";
  EXPECT_EQ(saslprep("\u0221"), std::nullopt) << "unassigned in Unicode 3.2";
  EXPECT_EQ(saslprep("\U0001F600"), std::nullopt) << "unassigned in Unicode 3.2";
  EXPECT_EQ(saslprep("\u05D0a"), std::nullopt) << "both directions";
  EXPECT_EQ(saslprep("\u05D0\u05D1"), "\u05D0\u05D1");
  for (const std::string_view bad : {"\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE9", "\x80", "\xE2\x82"}) {
    EXPECT_EQ(saslprep(bad), std::nullopt);
    EXPECT_EQ(prepare_password(bad), bad) << "the raw bytes are used then";
  }
}

// ---- Primitives ------------------------------------------------------------------------------------------------

TEST(Crypto, Base64IsStrict) {
  for (const std::string_view data : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) {
    EXPECT_EQ(crypto::base64_decode(crypto::base64_encode(data)), data);
  }
  EXPECT_EQ(crypto::base64_encode("foob"), "Zm9vYg==");
  for (const std::string_view bad :
       {"Z", "Zm", "Zm9", "Zm9=Zm9v", "Zm==Zm==", "Zm9v\n", "Z===", "====", "Zn==", "Zm9*"}) {
    EXPECT_EQ(crypto::base64_decode(bad), std::nullopt) << bad;
  }
}

TEST(Crypto, DigestsAreThoseOfTheStandards) {
  // RFC 1321 appendix A.5, FIPS 180-2, RFC 4231 case 2, RFC 7914 section 11.
  EXPECT_EQ(crypto::md5_hex("abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(crypto::base64_encode(crypto::view(crypto::sha256("abc"))),
            "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
  EXPECT_EQ(crypto::base64_encode(crypto::view(crypto::hmac_sha256("Jefe", "what do ya want for nothing?"))),
            "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
  EXPECT_EQ(crypto::base64_encode(crypto::view(crypto::pbkdf2_sha256("passwd", "salt", 1))),
            "VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLw=");
}

}  // namespace
}  // namespace switchyard::inline v0::protocol
