#include <switchyard/config/connection_string.hpp>
#include <switchyard/config/load_fixture.hpp>
#include <switchyard/config/password_file.hpp>

#include <gtest/gtest.h>

namespace switchyard {
namespace {

using testing_config::TemporaryFolder;

ConnectionOptions parsed(std::string_view text, const ConnectionEnvironment& environment = {}) {
  auto result = parse_connection_string(text, environment);
  if (!result.ok()) {
    ADD_FAILURE() << text << ": " << result.error().what();
    return {};
  }
  return *std::move(result);
}

std::string error_of(std::string_view text, const ConnectionEnvironment& environment = {}) {
  const auto result = parse_connection_string(text, environment);
  return result.ok() ? "(accepted)" : result.error().what();
}

std::string search_path(const ConnectionOptions& options) {
  for (const auto& [name, value] : options.settings) {
    if (name == "search_path") return value;
  }
  return "";
}

TEST(ConnectionString, UriAndKeywordsMeanTheSame) {
  for (const char* text :
       {"postgresql://wellwon:pass@db.internal:5433/wellwon?sslmode=verify-full&connect_timeout=5",
        "host=db.internal port=5433 user=wellwon password=pass dbname=wellwon sslmode=verify-full "
        "connect_timeout=5"}) {
    const ConnectionOptions options = parsed(text);
    ASSERT_EQ(options.hosts.size(), 1u);
    EXPECT_EQ(options.hosts[0].host, "db.internal");
    EXPECT_EQ(options.hosts[0].port, 5433);
    EXPECT_EQ(options.hosts[0].password.reveal(), "pass");
    EXPECT_EQ(options.user, "wellwon");
    EXPECT_EQ(options.dbname, "wellwon");
    EXPECT_EQ(options.sslmode, SslMode::verify_full);
    EXPECT_EQ(options.connect_timeout, std::chrono::seconds(5));
  }
}

TEST(ConnectionString, SeveralHostsKeepTheirPorts) {
  const ConnectionOptions options = parsed("postgresql://a:1,b,[::1]:3/d?target_session_attrs=read-write");
  ASSERT_EQ(options.hosts.size(), 3u);
  EXPECT_EQ(options.hosts[0].display(), "a:1");
  EXPECT_EQ(options.hosts[1].display(), "b:5432");
  EXPECT_EQ(options.hosts[2].display(), "[::1]:3");
  EXPECT_EQ(options.target_session_attrs, TargetSessionAttrs::read_write);
  EXPECT_EQ(parsed("host=a,b port=7").hosts[1].port, 7);
}

TEST(ConnectionString, DefaultsAreLibpqs) {
  ConnectionEnvironment environment;
  environment.os_user = "tester";
  const ConnectionOptions options = parsed("", environment);
  ASSERT_EQ(options.hosts.size(), 1u);
  EXPECT_EQ(options.hosts[0].host, "/var/run/postgresql");
  EXPECT_EQ(options.hosts[0].socket_path(), "/var/run/postgresql/.s.PGSQL.5432");
  EXPECT_EQ(options.user, "tester");
  EXPECT_EQ(options.dbname, "tester");
  EXPECT_EQ(options.sslmode, SslMode::prefer);
  EXPECT_TRUE(options.keepalives);
  environment.socket_directory = "/tmp";
  EXPECT_EQ(parsed("user=other", environment).dbname, "other");
  EXPECT_EQ(parsed("", environment).hosts[0].host, "/tmp");
}

TEST(ConnectionString, VariablesFillWhatTheStringLeavesOut) {
  ConnectionEnvironment environment;
  environment.variables = {{"PGHOST", "envhost"},     {"PGPORT", "6000"},        {"PGUSER", "envuser"},
                           {"PGPASSWORD", "envpass"}, {"PGDATABASE", "envdb"},   {"PGAPPNAME", "envapp"},
                           {"PGSSLMODE", "require"},  {"PGCONNECT_TIMEOUT", "9"}};
  const ConnectionOptions options = parsed("postgresql://h/d", environment);
  EXPECT_EQ(options.hosts[0].display(), "h:6000");
  EXPECT_EQ(options.dbname, "d");
  EXPECT_EQ(options.user, "envuser");
  EXPECT_EQ(options.password.reveal(), "envpass");
  EXPECT_EQ(options.application_name, "envapp");
  EXPECT_EQ(options.sslmode, SslMode::require);
  EXPECT_EQ(options.connect_timeout, std::chrono::seconds(9));
  EXPECT_TRUE(options.was_given("sslmode"));
  EXPECT_FALSE(options.was_given("sslrootcert"));
}

TEST(ConnectionString, AServiceComesBetweenStringAndVariables) {
  const TemporaryFolder folder;
  ConnectionEnvironment environment;
  environment.variables = {{"PGUSER", "envuser"}, {"PGDATABASE", "envdb"}, {"PGSYSCONFDIR", folder.path()}};
  environment.variables["PGSERVICEFILE"] =
      folder.write("service.conf",
                   "# services\n[other]\nhost=wrong\n\n [wellwon]\n host=servicehost\nuser=serviceuser\n"
                   "port=7000\nport=1\n[after]\nhost=wrong\n");
  const ConnectionOptions options = parsed("service=wellwon port=7001", environment);
  EXPECT_EQ(options.hosts[0].display(), "servicehost:7001");
  EXPECT_EQ(options.user, "serviceuser");
  EXPECT_EQ(options.dbname, "envdb");
  EXPECT_EQ(options.service, "wellwon");
  environment.variables["PGSERVICE"] = "wellwon";
  EXPECT_EQ(parsed("postgresql:///d", environment).hosts[0].display(), "servicehost:7000");
}

TEST(ConnectionString, TheSystemsServiceFileIsAskedLast) {
  const TemporaryFolder folder;
  folder.write("pg_service.conf", "[s]\nhost=system\n[t]\nhost=t\n");
  folder.write(".pg_service.conf", "[s]\nhost=home\n");
  ConnectionEnvironment environment;
  environment.home_directory = folder.path();
  environment.variables["PGSYSCONFDIR"] = folder.path();
  EXPECT_EQ(parsed("service=s", environment).hosts[0].host, "home");
  EXPECT_EQ(parsed("service=t", environment).hosts[0].host, "t");
  EXPECT_NE(error_of("service=u", environment).find("service 'u' is not defined"), std::string::npos);
}

TEST(ConnectionString, MistakesInServiceFilesNameTheLine) {
  const TemporaryFolder folder;
  const auto error = [&](std::string_view text) {
    ConnectionEnvironment environment;
    environment.variables["PGSERVICEFILE"] = folder.write("s.conf", text);
    environment.variables["PGSYSCONFDIR"] = folder.path();
    return error_of("service=s", environment);
  };
  EXPECT_NE(error("[s]\nservice=other\n").find("s.conf:2: a service can't refer to another service"),
            std::string::npos);
  EXPECT_NE(error("[s]\n\nhots=x\n").find("s.conf:3: unknown option 'hots' (hint: did you mean 'host'?)"),
            std::string::npos);
  EXPECT_NE(error("[s]\nhost\n").find("s.conf:2: '=' is missing"), std::string::npos);
  EXPECT_NE(error("[s]\nldap://x\n").find("LDAP"), std::string::npos);
}

TEST(ConnectionString, PasswordsComeFromThePasswordFile) {
  const TemporaryFolder folder;
  folder.write(".pgpass",
               "# comment\nother:5432:*:*:no\nhost1:5433:db:me:first\r\n*:*:db:me:any\\:thing\\\\:ignored\n"
               "localhost:*:*:*:socket\n");
  ConnectionEnvironment environment;
  environment.home_directory = folder.path();
  const ConnectionOptions options = parsed("postgresql://me@host1:5433,host2/db", environment);
  EXPECT_EQ(options.hosts[0].password.reveal(), "first");
  EXPECT_EQ(options.hosts[1].password.reveal(), "any:thing\\");
  EXPECT_EQ(parsed("user=x dbname=y", environment).hosts[0].password.reveal(), "socket");
  EXPECT_EQ(parsed("host=/elsewhere user=x dbname=y", environment).hosts[0].password.reveal(), "");
  EXPECT_EQ(parsed("postgresql://me:own@host1:5433/db", environment).hosts[0].password.reveal(), "own");
  EXPECT_EQ(parsed("host=h hostaddr=10.0.0.1 user=me dbname=db", environment).hosts[0].password.reveal(),
            "any:thing\\");
}

TEST(ConnectionString, APasswordFileThatOthersMayReadIsNotUsed) {
  const TemporaryFolder folder;
  ConnectionEnvironment environment;
  environment.variables["PGPASSFILE"] = folder.write("pass", "*:*:*:*:secret\n", 0640);
  const ConnectionOptions options = parsed("host=h", environment);
  EXPECT_TRUE(options.hosts[0].password.empty());
  ASSERT_EQ(options.warnings.size(), 1u);
  EXPECT_NE(options.warnings[0].find("has group or world access"), std::string::npos);
  EXPECT_NE(options.warnings[0].find("chmod 0600"), std::string::npos);
  environment.variables["PGPASSFILE"] = folder.path() + "/missing";
  EXPECT_TRUE(parsed("host=h", environment).warnings.empty());
}

TEST(ConnectionString, PasswordFileFieldsMatchAsLibpqMatchesThem) {
  const auto find = [](std::string_view contents) {
    const auto found = config::find_password(contents, {"h:1", "5432", "d", "u"});
    return found ? found->reveal() : std::string("(none)");
  };
  EXPECT_EQ(find("h\\:1:5432:d:u:p"), "p");
  EXPECT_EQ(find("h:1:5432:d:u:p"), "p");  // an unescaped ':' matches as well, if the name has one there
  EXPECT_EQ(find("*:*:*:*:"), "");
  EXPECT_EQ(find("*:*:*:*"), "(none)");
  EXPECT_EQ(find("*h:*:*:*:p"), "(none)");
  EXPECT_EQ(find("h\\:1:5432:d:ux:p\nh\\:1:5432:d:u:q"), "q");
  EXPECT_EQ(find("h\\"), "(none)");
}

TEST(ConnectionString, JdbcUrlsAreUnderstood) {
  const ConnectionOptions options = parsed(
      "jdbc:postgresql://localhost:5432/chiro_erp?currentSchema=commerce_schema&user=commerce_user&password=pw");
  EXPECT_EQ(options.hosts[0].display(), "localhost:5432");
  EXPECT_EQ(options.dbname, "chiro_erp");
  EXPECT_EQ(options.user, "commerce_user");
  EXPECT_EQ(options.password.reveal(), "pw");
  EXPECT_EQ(search_path(options), "commerce_schema");
  EXPECT_EQ(parsed("jdbc:postgresql://h/d?ssl=true").sslmode, SslMode::require);
  EXPECT_EQ(parsed("jdbc:postgresql://localhost:5432/commerce_db?ssl=true&sslmode=require").sslmode,
            SslMode::require);
  EXPECT_EQ(parsed("jdbc:postgresql://h/d?sslmode=verify-full&ssl=true").sslmode, SslMode::verify_full);
  EXPECT_EQ(parsed("jdbc:postgresql://h/d?ssl=false").sslmode, SslMode::prefer);
  EXPECT_EQ(parsed("jdbc:postgresql:d").hosts[0].host, "localhost");
  EXPECT_EQ(parsed("jdbc:postgresql:d").dbname, "d");
  EXPECT_EQ(parsed("jdbc:postgresql://h1,h2/d?targetServerType=primary").target_session_attrs,
            TargetSessionAttrs::primary);
  EXPECT_EQ(parsed("jdbc:postgresql://h/d?prepareThreshold=0&ApplicationName=a").application_name, "a");
  EXPECT_EQ(parsed("jdbc:postgresql://h/d?prepareThreshold=0").ignored,
            std::vector<std::string>{"prepareThreshold"});
  EXPECT_NE(error_of("jdbc:mysql://h/d").find("jdbc:postgresql"), std::string::npos);
  EXPECT_NE(error_of("jdbc:postgresql://h/d?curentSchema=x").find("unknown option 'curentSchema'"),
            std::string::npos);
}

TEST(ConnectionString, CurrentSchemaIsUnderstoodInEveryUri) {
  EXPECT_EQ(search_path(parsed("postgresql://localhost:5432/chiro_erp?currentSchema=crm_schema")), "crm_schema");
}

TEST(ConnectionString, ADriverInTheSchemeIsIgnored) {
  EXPECT_EQ(parsed("postgresql+asyncpg://u:p@h/d").location(), "h:5432/d");
  EXPECT_EQ(parsed("postgres+psycopg2://u:p@h/d").user, "u");
  EXPECT_NE(error_of("postgresql+://h/d").find("unknown scheme"), std::string::npos);
}

TEST(ConnectionString, AnUnknownSchemeGetsASuggestion) {
  EXPECT_NE(error_of("postgressql://h/d").find("did you mean 'postgresql'?"), std::string::npos);
  EXPECT_NE(error_of("mysql://h/d").find("a URI starts with postgresql://"), std::string::npos);
}

TEST(ConnectionString, UnknownOptionsNamePositionAndSuggestion) {
  EXPECT_EQ(error_of("host=a prot=1"),
            "connection string: unknown option 'prot' at position 8 (hint: did you mean 'port'?)");
  EXPECT_EQ(error_of("postgresql://h/d?aplication_name=x"),
            "connection string: unknown option 'aplication_name' at position 18 (hint: did you mean "
            "'application_name'?)");
}

TEST(ConnectionString, OptionsUpToPostgreSql18AreRead) {
  const ConnectionOptions options = parsed(
      "host=h sslnegotiation=direct sslmode=require sslcertmode=disable require_auth=scram-sha-256,md5 "
      "load_balance_hosts=random min_protocol_version=3.0 max_protocol_version=latest gssdelegation=0 "
      "sslkeylogfile=/tmp/k oauth_issuer=i oauth_client_id=c oauth_client_secret=s oauth_scope=o "
      "scram_client_key=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= servicefile=/x");
  EXPECT_EQ(options.sslnegotiation, SslNegotiation::direct);
  EXPECT_EQ(options.sslcertmode, SslCertMode::disable);
  EXPECT_TRUE(options.require_auth.allows(RequireAuth::scram_sha_256));
  EXPECT_TRUE(options.require_auth.allows(RequireAuth::md5));
  EXPECT_FALSE(options.require_auth.allows(RequireAuth::password));
  EXPECT_FALSE(options.require_auth.allows(RequireAuth::none));
  EXPECT_EQ(options.load_balance_hosts, LoadBalanceHosts::random);
  EXPECT_EQ(options.max_protocol_version, ProtocolVersion::v3_2);
  EXPECT_EQ(options.oauth_client_secret.reveal(), "s");
  EXPECT_FALSE(parsed("require_auth=!password,!none").require_auth.allows(RequireAuth::password));
  EXPECT_TRUE(parsed("require_auth=!password,!none").require_auth.allows(RequireAuth::md5));
  EXPECT_EQ(parsed("sslrootcert=system").sslmode, SslMode::verify_full);
}

TEST(ConnectionString, ValuesThatFitNothingAreRefused) {
  for (const char* text :
       {"require_auth=password,password", "require_auth=password,!md5", "require_auth=kerberos",
        "sslnegotiation=direct", "sslnegotiation=direct sslmode=prefer", "sslrootcert=system sslmode=require",
        "min_protocol_version=3.2 max_protocol_version=3.0", "max_protocol_version=4.0", "scram_client_key=abc",
        "gssencmode=require", "load_balance_hosts=yes", "host=a,b port=1,2,3", "host=a,b hostaddr=1.2.3.4",
        "port=0", "port=70000", "connect_timeout=x", "keepalives_idle=1.5", "keepalives_count=99999999999"}) {
    EXPECT_NE(error_of(text), "(accepted)") << text;
  }
  EXPECT_EQ(
      error_of("sslmode=verify_full"),
      "connection string: 'verify_full' is not a value of sslmode (hint: expected one of disable, allow, prefer, "
      "require, verify-ca, verify-full; did you mean 'verify-full'?)");
}

TEST(ConnectionString, LimitsHaveNames) {
  std::string hosts = "host=a";
  for (int i = 0; i < 100; ++i) hosts += ",a";
  EXPECT_NE(error_of(hosts).find("101 hosts; the limit is 64"), std::string::npos);
  EXPECT_NE(error_of("host=" + std::string(100'000, 'a')).find("the limit is 65536"), std::string::npos);
  EXPECT_NE(error_of(std::string_view("host=a\0b", 8)).find("a zero byte at position 7"), std::string::npos);
}

TEST(ConnectionString, NoErrorQuotesAPassword) {
  for (const char* text : {"postgresql://u:hunter2@h/d?foo=1",
                           "postgresql://u:hunter2@h:x/d",
                           "postgresql://u:hun/ter2@h/d",
                           "postgresql://u:hunter2/x@h/d",
                           "postgresql://u:hunter2?x=1/@h/d",
                           "postgresql://u:a@hunter2@h/d",
                           "postgresql://u:hunter2%zz@h/d",
                           "postgresql://u:a?hunter2=b/c@h/d",
                           "postgresql://u:x/y?hunter2=z@h/d",
                           "postgresql://u:/?hunter2@h/d",
                           "password=hunter2 x",
                           "password=my hunter2",
                           "password=my hunter2=x",
                           "password=hunter2 foo=1",
                           "password='hunter2",
                           "user=u password=x hunter2 = y",
                           "hunter2",
                           "postgresql://h/d?password=hunter2&foo=1",
                           "postgresql://h/d?password=hunter2=x",
                           "mysql://u:hunter2@h/d",
                           "postgresql://[hunter2",
                           "postgresql://u:pw@[::1]hunter2/d",
                           "postgresql://u:p:hunter2@h:y/d",
                           "postgresql://u@hunter2@h",
                           "sslpassword=x hunter2=1",
                           "scram_client_key=hunter2",
                           "postgresql://h/d?oauth_client_secret=hunter2&x=1"}) {
    const std::string error = error_of(text);
    EXPECT_NE(error, "(accepted)") << text;
    EXPECT_EQ(error.find("hunter2"), std::string::npos) << error;
    EXPECT_EQ(error.find("ter2"), std::string::npos) << error;
  }
}

TEST(Redaction, MasksThePasswordAndKeepsTheRest) {
  EXPECT_EQ(redact_connection_string("postgresql://wellwon:password@localhost/wellwon"),
            "postgresql://wellwon:********@localhost/wellwon");
  EXPECT_EQ(redact_connection_string("host=h password=secret dbname=d"), "host=h password=******** dbname=d");
  EXPECT_EQ(redact_connection_string("host=h password='my secret' dbname=d"), "host=h password=******** dbname=d");
  EXPECT_EQ(redact_connection_string("postgresql://h/d?password=x&sslpassword=y&user=u"),
            "postgresql://h/d?password=********&sslpassword=********&user=u");
  EXPECT_EQ(redact_connection_string("jdbc:postgresql://h/d?user=u&password=pw"),
            "jdbc:postgresql://h/d?user=u&password=********");
  EXPECT_EQ(redact_connection_string("jdbc:postgresql:d?password=pw&user=u"),
            "jdbc:postgresql:d?password=********&user=u");
  EXPECT_EQ(redact_connection_string("postgresql://h/d"), "postgresql://h/d");
  EXPECT_EQ(redact_connection_string(""), "");
}

TEST(Redaction, MasksMalformedTextsGenerously) {
  for (const char* text :
       {"postgresql://u:hunter2@h/d?foo=1", "postgresql://u:hun/ter2@h/d", "postgresql://u:a@hunter2@h/d",
        "postgresql://u:a?hunter2=b/c@h/d", "postgresql://u:hunter2%zz@h/d", "password=my hunter2",
        "password='hunter2", "host=h password = hunter2 x", "hunter2", "mysql://u:hunter2@h/d",
        "postgresql://h/d?password=hunter2=x", "postgresql://u:p@h/d?password=hunter2&&x",
        "jdbc:postgresql:d?x=1&password=hunter2", "jdbc:oracle:hunter2", "postgresql://u:a/b@hunter2@h/d",
        "sslpassword='hunter2", "scram_client_key=hunter2 x"}) {
    const std::string redacted = redact_connection_string(text);
    EXPECT_EQ(redacted.find("hunter2"), std::string::npos) << redacted;
    EXPECT_EQ(redacted.find("ter2"), std::string::npos) << redacted;
  }
}

TEST(ConnectionOptions, DisplayMasksAndLocationHasNoCredentials) {
  const ConnectionOptions options =
      parsed("host=db port=5433 user=u password=secret dbname='my db' sslmode=require");
  EXPECT_EQ(options.display(), "postgresql://u:********@db:5433/my%20db?sslmode=require");
  EXPECT_EQ(options.location(), "db:5433/my db");
  EXPECT_EQ(parsed("host=/tmp/x port=6000 user=u dbname=d").display(), "postgresql://u@/d?host=/tmp/x&port=6000");
}

TEST(ConnectionOptions, TheTlsFilesOfTheHomeFolderAreFound) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() + "/.postgresql");
  folder.write(".postgresql/root.crt", "x");
  ConnectionEnvironment environment;
  environment.home_directory = folder.path();
  EXPECT_EQ(parsed("host=h", environment).sslrootcert, folder.path() + "/.postgresql/root.crt");
  EXPECT_EQ(parsed("host=h", environment).sslcert, "");
  EXPECT_EQ(parsed("host=h sslrootcert=/mine", environment).sslrootcert, "/mine");
}

}  // namespace
}  // namespace switchyard
