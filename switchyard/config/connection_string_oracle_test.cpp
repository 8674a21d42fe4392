// libpq is the oracle: for any text, our grammar and PQconninfoParse must agree on accept or reject, and on every
// value. Left out on purpose: options that libpq 15 does not know yet, currentSchema, jdbc: and +driver.
#include <switchyard/base/random.hpp>
#include <switchyard/config/connection_string.hpp>

#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <map>
#include <optional>
#include <set>

namespace switchyard {
namespace {

using Values = std::map<std::string, std::string>;

std::optional<Values> libpq_parse(const std::string& text) {
  char* message = nullptr;
  PQconninfoOption* options = PQconninfoParse(text.c_str(), &message);
  if (message != nullptr) PQfreemem(message);
  if (options == nullptr) return std::nullopt;
  Values out;
  for (PQconninfoOption* o = options; o->keyword != nullptr; ++o) {
    if (o->val != nullptr) out[o->keyword] = o->val;
  }
  PQconninfoFree(options);
  return out;
}

const std::set<std::string>& libpq_keywords() {
  static const std::set<std::string> names = [] {
    std::set<std::string> out;
    PQconninfoOption* options = PQconndefaults();
    for (PQconninfoOption* o = options; o->keyword != nullptr; ++o) out.insert(o->keyword);
    PQconninfoFree(options);
    return out;
  }();
  return names;
}

std::optional<Values> our_parse(const std::string& text) {
  auto keywords = config::parse_connection_keywords(text);
  if (!keywords.ok()) return std::nullopt;
  Values out;
  for (auto& k : *keywords) out[k.keyword] = k.value;
  return out;
}

/// True if the text is one of the documented differences.
bool beyond_libpq(const std::string& text, const std::optional<Values>& ours) {
  if (text.starts_with("jdbc:")) return true;
  if (text.starts_with("postgresql+") || text.starts_with("postgres+")) return true;
  if (!ours) return false;
  for (const auto& [keyword, value] : *ours) {
    if (!libpq_keywords().contains(keyword)) return true;
  }
  return false;
}

std::string show(const std::optional<Values>& values) {
  if (!values) return "rejected";
  std::string out = "{";
  for (const auto& [k, v] : *values) out += k + "='" + v + "' ";
  return out + "}";
}

enum class Agreement { agree, excused, differ };

Agreement compare(const std::string& text) {
  const auto ours = our_parse(text);
  const auto theirs = libpq_parse(text);
  if (ours == theirs) return Agreement::agree;
  return beyond_libpq(text, ours) ? Agreement::excused : Agreement::differ;
}

const std::vector<std::string>& corpus() {
  static const std::vector<std::string> texts = {
      "",
      " ",
      "postgresql://",
      "postgres://",
      "postgresql://localhost",
      "postgresql://localhost:5433",
      "postgresql://localhost/mydb",
      "postgresql://user@localhost",
      "postgresql://user:secret@localhost",
      "postgresql://other@localhost/otherdb?connect_timeout=10&application_name=myapp",
      "postgresql://host1:123,host2:456/somedb?target_session_attrs=any&application_name=myapp",
      "postgresql:///mydb?host=localhost&port=5433",
      "postgresql://[2001:db8::1234]/database",
      "postgresql://[2001:db8::1234]:5432,[::1]:5433/database",
      "postgresql://%2Fvar%2Flib%2Fpostgresql/dbname",
      "postgresql:///dbname?host=/var/lib/postgresql",
      "postgresql://wellwon:password@localhost/wellwon",
      "postgresql://wellwon:pass@host/wellwon_reference?sslmode=require",
      "postgresql://prod-main.company.com:5432/parafort_main",
      "postgres://u:p%40ss%3Aword@h/d",
      "postgres://u:p@ss@h/d",
      "postgres://u:p:q@h/d",
      "postgres://u:@h/d",
      "postgres://:p@h/d",
      "postgres://@h/d",
      "postgres://:@h/d",
      "postgres://u:pa/ss@h/d",
      "postgres://h:/d",
      "postgres://:5432/d",
      "postgres://,/d",
      "postgres://a,,b:1/d",
      "postgres://a:1,b,c:3",
      "postgres://[::1",
      "postgres://[]/",
      "postgres://[::1]x/",
      "postgres://[::1]5432/",
      "postgres://h/d?",
      "postgres://h/d?x",
      "postgres://h/d?user",
      "postgres://h/d?user=",
      "postgres://h/d?user==",
      "postgres://h/d?user=a=b",
      "postgres://h/d?user=a&",
      "postgres://h/d?user=a&&port=1",
      "postgres://h/d?&user=a",
      "postgres://h/d?unknown=1",
      "postgres://h/d?%75ser=a",
      "postgres://h/d?ssl=true",
      "postgres://h/d?ssl=false",
      "postgres://h/d?ssl=TRUE",
      "postgres://h/d?ssl=true&sslmode=verify-full",
      "postgres://h/d?sslmode=verify-full&ssl=true",
      "postgres://h/d?requiressl=1",
      "postgres://h/d?requiressl=0",
      "postgres://h?user=x@y",
      "postgres://h?user=x",
      "postgres://h?",
      "postgres://?host=a",
      "postgres:///?dbname=a",
      "postgres:///a/b/c",
      "postgres://h/a%2Fb",
      "postgres://h/%",
      "postgres://h/%4",
      "postgres://h/%4g",
      "postgres://h/%00",
      "postgres://h/%01",
      "postgres://%75:%70@%68:%31/%64",
      "postgres://u%zz@h",
      "postgres://h/d e",
      "postgres:// h/d",
      "postgres://h/d ",
      "POSTGRES://h/d",
      "Postgresql://h/d",
      "postgresql:/h/d",
      "postgresql:h",
      "http://h/d",
      "host=localhost",
      "host = localhost  port= 5432 dbname =x",
      "host=localhost port=5432 dbname='my db' user='o\\'brien'",
      "host='' port=''",
      "host=",
      "host= port=5",
      "host=\tlocalhost\nport=5",
      "host='a' port='b'c=d",
      "host='a'port='b'",
      "host='unterminated",
      "host='unterminated\\'",
      "host=a\\ b",
      "host=a\\",
      "host='a\\",
      "host=a'b'c",
      "host",
      "host localhost",
      "host port=5",
      "=x",
      " = x",
      "host==x",
      "host=a=b",
      "host=a host=b",
      "hots=a",
      "HOST=a",
      "password=abc def",
      "password='abc def'",
      "requiressl=1",
      "requiressl=",
      "requiressl=10",
      "sslcompression=1",
      "authtype=x",
      "tty=x",
      "dbname=postgresql://h/d",
      "dbname='host=x'",
      "service=foo",
      "options='-c geqo=off'",
      "options=-c\\ geqo=off",
      "user=\xC3\xA4\xC3\xB6 dbname=\xFF",
      "\xC2\xA0host=a",
      "keepalives=1 keepalives_idle=10 keepalives_interval=5 keepalives_count=3 tcp_user_timeout=1000",
      "sslmode=verify-full sslcert=c sslkey=k sslrootcert=r sslcrl=l sslcrldir=d sslsni=1 sslpassword=p",
      "ssl_min_protocol_version=TLSv1.2 ssl_max_protocol_version=TLSv1.3 requirepeer=postgres",
      "gssencmode=disable krbsrvname=postgres gsslib=gssapi replication=database",
      "target_session_attrs=read-write channel_binding=require connect_timeout=3 client_encoding=auto",
      "passfile=/x fallback_application_name=a application_name=b hostaddr=127.0.0.1",
      "host=a,b,c port=1,2,3",
      "sslmode='nonsense'",
      "port=99999999",
  };
  return texts;
}

TEST(ConnectionStringOracle, EveryOptionOfLibpqIsKnown) {
  const auto& ours = config::connection_keywords();
  for (const std::string& keyword : libpq_keywords()) {
    EXPECT_NE(std::find(ours.begin(), ours.end(), keyword), ours.end()) << keyword;
  }
}

TEST(ConnectionStringOracle, HandwrittenTextsAreReadAsLibpqReadsThem) {
  for (const std::string& text : corpus()) {
    EXPECT_NE(compare(text), Agreement::differ)
        << "text:  <" << text << ">\nours:  " << show(our_parse(text)) << "\nlibpq: " << show(libpq_parse(text));
  }
}

TEST(ConnectionStringOracle, MutatedTextsAreReadAsLibpqReadsThem) {
  static const std::vector<std::string> pieces = {
      "=",         "'",        "\\",  " ",           "&",   "?",        "/",    ":",      "@",
      "%",         "%4",       "%41", "%00",         ",",   "[",        "]",    "host=",  "user",
      "password=", "sslmode=", "\t",  "\n",          "://", "ssl=true", "port", "dbname", "postgres",
      "=require",  "\xC3",     "x",   "requiressl=", "::1", "'a b'"};
  Random random(20240607);
  const auto pick = [&](std::size_t n) { return static_cast<std::size_t>(random.next() % n); };
  int accepted = 0, differing = 0;
  constexpr int kRounds = 40'000;
  for (int i = 0; i < kRounds && differing < 5; ++i) {
    std::string text = corpus()[pick(corpus().size())];
    for (std::size_t n = 1 + pick(4); n > 0; --n) {
      const std::size_t at = text.empty() ? 0 : pick(text.size() + 1);
      switch (pick(5)) {
        case 0: text.insert(at, pieces[pick(pieces.size())]); break;
        case 1: text.erase(at, 1 + pick(3)); break;
        case 2: text += pieces[pick(pieces.size())]; break;
        case 3: text.insert(at, corpus()[pick(corpus().size())]); break;
        default:
          if (at < text.size()) text[at] = static_cast<char>(1 + pick(127));
      }
    }
    const Agreement agreement = compare(text);
    if (agreement == Agreement::differ) {
      ++differing;
      ADD_FAILURE() << "text:  <" << text << ">\nours:  " << show(our_parse(text))
                    << "\nlibpq: " << show(libpq_parse(text));
    }
    if (libpq_parse(text)) ++accepted;
  }
  // The mutations must reach both sides of the border.
  EXPECT_GT(accepted, kRounds / 20);
  EXPECT_LT(accepted, kRounds - kRounds / 20);
}

/// libpq's judgement of values: a bad one fails before anything is connected. The socket folder does not exist, so
/// a good one fails at connecting.
bool libpq_takes_values(const std::string& text) {
  PGconn* connection = PQconnectStart(("host=/nonexistent-folder " + text).c_str());
  const std::string message = PQerrorMessage(connection);
  PQfinish(connection);
  return message.find("connection to server") != std::string::npos || message.empty();
}

TEST(ConnectionStringOracle, ValuesAreJudgedAsLibpqJudgesThem) {
  for (const std::string text : {"port=1",
                                 "port=65535",
                                 "port=0",
                                 "port=65536",
                                 "port=x",
                                 "port=-1",
                                 "port=' 5432 '",
                                 "port=5432x",
                                 "port=''",
                                 "sslmode=prefer",
                                 "sslmode=require",
                                 "sslmode=Require",
                                 "sslmode=on",
                                 "sslmode=''",
                                 "sslmode=verify_ca",
                                 "channel_binding=require",
                                 "channel_binding=yes",
                                 "channel_binding=''",
                                 "gssencmode=disable",
                                 "gssencmode=maybe",
                                 "target_session_attrs=any",
                                 "target_session_attrs=read-write",
                                 "target_session_attrs=prefer-standby",
                                 "target_session_attrs=master",
                                 "target_session_attrs=''",
                                 "ssl_min_protocol_version=TLSv1.2",
                                 "ssl_min_protocol_version=tlsv1.3",
                                 "ssl_min_protocol_version=SSLv3",
                                 "ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2",
                                 "ssl_min_protocol_version=TLSv1.2 ssl_max_protocol_version=TLSv1.2",
                                 "ssl_max_protocol_version=''",
                                 "port=1,2"}) {
    const auto ours = parse_connection_string("host=/nonexistent-folder " + text);
    EXPECT_EQ(ours.ok(), libpq_takes_values(text)) << text << (ours.ok() ? "" : ours.error().what());
  }
}

}  // namespace
}  // namespace switchyard
