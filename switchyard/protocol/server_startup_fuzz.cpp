// A hostile client against the ServerStartupMachine, under any options.
#include <switchyard/protocol/server_startup.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

using namespace switchyard;
using protocol::ServerStartupAction;

void expect(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  static const protocol::ScramVerifier kVerifier =
      protocol::ScramVerifier::make(Secret("hunter2"), "0123456789abcdef", 2);
  const bool trusted = data[0] % 3 == 0;
  const std::size_t piece = data[1] + std::size_t{1};
  std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);

  base::WriteBuffer out;
  base::ReadBuffer in;
  protocol::ServerStartupMachine machine(
      {.tls = (data[0] & 4) != 0, .random = [](std::size_t n) { return std::string(n, 'r'); }}, out);
  ServerStartupAction action = ServerStartupAction::wait;
  for (int turns = 0; turns < 10'000; ++turns) {
    expect(out.size() < 64 << 10);
    switch (action) {
      case ServerStartupAction::wait: {
        if (input.empty()) {
          (void)machine.on_timeout();
          return 0;
        }
        const std::size_t part = std::min(piece, input.size());
        std::memcpy(in.prepare(part), input.data(), part);
        in.commit(part);
        input.remove_prefix(part);
        action = machine.on_bytes(in);
        break;
      }
      case ServerStartupAction::start_tls:
        if (machine.direct_tls()) in.clear();
        expect(in.size() == 0);
        action = machine.on_tls_started({.certificate_hash = "hash", .alpn = "postgresql"});
        break;
      case ServerStartupAction::cancel:
        expect(machine.cancel_key().secret.size() >= 4 && machine.cancel_key().secret.size() <= 256);
        return 0;
      case ServerStartupAction::decide:
        expect(!machine.login().user.empty() && !machine.login().database.empty());
        if (data[0] % 3 == 0) action = machine.decide(protocol::TrustLogin());
        if (data[0] % 3 == 1) {
          const Secret stored("md5" + std::string(32, 'a'));
          action = (data[0] & 8) != 0 ? machine.decide(protocol::PasswordLogin{stored})
                                      : machine.decide(protocol::Md5Login{stored});
        }
        if (data[0] % 3 == 2) action = machine.decide(protocol::ScramLogin{kVerifier});
        break;
      case ServerStartupAction::admit:
        expect(trusted);  // nobody guesses a password or its hash
        machine.admit({}, {1, std::string(machine.cancel_key_size(), 'k')});
        expect(machine.done());
        return 0;
      case ServerStartupAction::fail: expect(machine.error() != nullptr); return 0;
    }
  }
  return 0;
}
