#include <switchyard/config/load_fixture.hpp>

namespace switchyard::testing_config {
namespace {

FleetConfig with(const std::string& gateway) {
  return Load().file("[database.main]\ndsn = \"postgresql://localhost/x\"\n" + gateway).ok();
}
std::string refusal(const std::string& gateway) {
  return Load().file("[database.main]\ndsn = \"postgresql://localhost/x\"\n" + gateway).error();
}

TEST(GatewayConfig, WithoutAWordTheGatewayListensOnItsOwnPortOfThisMachine) {
  const FleetConfig fleet = with("");
  EXPECT_EQ(*fleet.gateway.listen, std::vector<std::string>{"127.0.0.1:6433"});
  EXPECT_FALSE(fleet.gateway.listen.is_set());
  EXPECT_TRUE(fleet.gateway.unix_socket->empty());
}

TEST(GatewayConfig, ATableForADatabaseAndOneForAUserSayWhatDiffers) {
  const FleetConfig fleet = with(
      "[gateway]\nlisten = [\"*:6433\", \"7000\"]\npool_mode = \"transaction\"\n"
      "[gateway.database.main]\npool_mode = \"session\"\nmax_clients = 5\n"
      "[gateway.user.reports]\nmax_sessions = 2\n");
  EXPECT_EQ(fleet.gateway.listen->size(), 2u);
  EXPECT_EQ(*fleet.gateway.pool_mode, PoolMode::transaction);
  EXPECT_EQ(*fleet.gateway.databases.at("main").pool_mode, PoolMode::session);
  EXPECT_EQ(*fleet.gateway.databases.at("main").max_clients, 5u);
  EXPECT_EQ(*fleet.gateway.users.at("reports").max_sessions, 2u);
  EXPECT_FALSE(fleet.gateway.users.at("reports").pool_mode.is_set());
}

TEST(GatewayConfig, WhatIsMistypedIsNamedWithWhatWasMeant) {
  const auto says = [](const std::string& text, const std::string& what) {
    const std::string error = refusal(text);
    EXPECT_NE(error.find(what), std::string::npos) << error;
  };
  says("[gateway]\nlisten_on = \"1\"\n", "listen");
  says("[gateway]\nuser_file = \"x\"\n", "did you mean 'users_file'?");
  says("[gateway.user.reports]\nmax_session = 2\n", "did you mean 'max_sessions'?");
  says("[gateway.database.mian]\nmax_clients = 2\n", "did you mean 'main'?");
  says("[gateway]\nlisten = \"localhost\"\n", "'localhost' is not an address");
  says("[gateway]\npool_mode = \"statement\"\n", "not one of auto, session, transaction");
  says("[gateway]\nunix_socket_mode = \"rw\"\n", "'rw' are no permissions");
  says("[gateway]\ntls_key = \"x\"\n", "certificate and key belong together");
  says("[gateway]\ntls_client_ca = \"x\"\n", "without TLS");
  says("[gateway]\nauth_query = \"SELECT 1\"\n", "set gateway.auth_user");
  says("[gateway]\nauth_user = \"a\"\nauth_database = \"mian\"\n", "did you mean 'main'?");
}

}  // namespace
}  // namespace switchyard::testing_config
