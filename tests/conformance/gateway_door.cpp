// A gateway and nothing else: what the conformance runs and the gateway benchmark start in front of their private
// server. It prints "ready" when its doors are open, ends with SIGTERM, and says then how many queries ran, and
// how.
#include <switchyard/config/load.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/gateway/gateway.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/signals.hpp>

#include <tests/support/program_options.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

namespace {

namespace sy = switchyard;

/// Private servers are meant, and a folder of their own.
constexpr int kPathMode = 0777;
/// Some suites know no way to give a password.
constexpr const char* kTrust = "local all all trust\nhost all all 127.0.0.1/32 trust\n";

std::string slurp(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("can't read " + path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

sy::gateway::GatewaySettings settings_of(const sy::testing::ProgramOptions& words) {
  sy::gateway::GatewaySettings settings;
  settings.unix_mode = kPathMode;
  settings.max_clients = static_cast<std::uint32_t>(words.count("max-clients"));
  settings.max_logins = settings.max_clients;
  if (words.text("login") == "trust") {
    settings.rules = sy::gateway::AccessRules::parse(kTrust, "gateway_door").value_or_throw();
  }
  if (!words.text("path").empty()) {
    settings.listen.push_back(sy::runtime::SocketAddress::unix_domain(words.text("path")).value_or_throw());
  }
  settings.listen.push_back(
      sy::runtime::SocketAddress::ip("127.0.0.1", static_cast<std::uint16_t>(words.count("port")))
          .value_or_throw());
  if (!words.text("users").empty()) {
    settings.users = sy::gateway::UserList::parse(slurp(words.text("users")), words.text("users")).value_or_throw();
  }
  if (!words.text("certificate").empty()) {
    settings.tls = sy::runtime::TlsContext::server(
                       {.certificate = words.text("certificate"), .key = words.text("certificate-key")})
                       .value_or_throw();
  }
  return settings;
}

sy::Task<void> serve(const sy::testing::ProgramOptions& words, sy::runtime::SignalWatch& signals) {
  sy::Sources sources;
  sources.file = words.text("config");
  auto fleet = sy::Fleet::open(sy::load_config(sources).value_or_throw()).value_or_throw();
  auto gateway = sy::gateway::Gateway::open(*fleet, settings_of(words)).value_or_throw();
  std::printf("ready\n");
  std::fflush(stdout);
  co_await signals.first().wait();
  const sy::gateway::GatewayStatus status = gateway->status();
  std::printf("queries %llu shared %llu pinned %llu\n", static_cast<unsigned long long>(status.queries),
              static_cast<unsigned long long>(status.shared), static_cast<unsigned long long>(status.pinned));
  gateway.reset();
  co_await fleet->close();
}

}  // namespace

int main(int argc, char** argv) {
  const sy::testing::ProgramOptions words(argc, argv, "gateway_door: a gateway on 127.0.0.1 and on a path",
                                          {{"config", "switchyard.toml"},
                                           {"port", "6433"},
                                           {"path", ""},
                                           {"users", ""},
                                           {"login", "trust"},
                                           {"certificate", ""},
                                           {"certificate-key", ""},
                                           {"max-clients", "20000"}});
  try {
    sy::runtime::Shard shard;
    sy::runtime::SignalWatch signals(shard, [](int) { std::_Exit(1); });
    shard.run_until_complete(serve(words, signals));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gateway_door: %s\n", error.what());
    return 1;
  }
}
