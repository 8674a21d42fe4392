// A hostile server against the StartupMachine, under any options.
#include <switchyard/protocol/startup.hpp>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

using namespace switchyard;
using protocol::StartupAction;

void expect(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  protocol::StartupOptions options;
  options.user = "user";
  options.ssl_mode = static_cast<protocol::SslMode>(data[0] % 6);
  options.channel_binding = static_cast<protocol::ChannelBinding>(data[0] / 6 % 3);
  options.max_protocol_version = (data[1] & 1) != 0 ? protocol::kProtocol32 : protocol::kProtocol30;
  if ((data[1] & 2) != 0) options.password = Secret("hunter2");
  if ((data[1] & 4) != 0) options.require_auth = *protocol::RequiredAuth::parse("scram-sha-256");
  if ((data[1] & 8) != 0) options.ssl_negotiation = protocol::SslNegotiation::direct;
  options.scram_max_iterations = 20;
  const std::size_t piece = data[2] + std::size_t{1};
  std::string_view input(reinterpret_cast<const char*>(data) + 3, size - 3);

  base::WriteBuffer out;
  base::ReadBuffer in;
  protocol::SessionEvents events;
  protocol::StartupMachine machine(options, out, [] { return std::string("nonce"); });
  StartupAction action = machine.start();
  for (int turns = 0; turns < 10'000; ++turns) {
    switch (action) {
      case StartupAction::wait: {
        if (input.empty()) {
          expect(machine.on_closed(Error(ErrorKind::Unavailable, "closed")) == StartupAction::fail);
          return 0;
        }
        const std::size_t part = std::min(piece, input.size());
        std::memcpy(in.prepare(part), input.data(), part);
        in.commit(part);
        input.remove_prefix(part);
        action = machine.on_bytes(in, events);
        break;
      }
      case StartupAction::start_tls:
        expect(in.size() == 0);
        action = (piece & 1) != 0 ? machine.on_tls_failed(Error(ErrorKind::Unavailable, "no"))
                                  : machine.on_tls_started({.certificate_hash = "hash", .alpn = "postgresql"});
        break;
      case StartupAction::need_password: action = machine.on_password(Secret("hunter2")); break;
      case StartupAction::reconnect:
        in.clear();
        action = machine.start();
        break;
      case StartupAction::ready: return 0;
      case StartupAction::fail:
        expect(machine.error() != nullptr);
        expect(std::string_view(machine.error()->what()).find("hunter2") == std::string_view::npos ||
               std::string_view(reinterpret_cast<const char*>(data), size).find("hunter2") !=
                   std::string_view::npos);
        return 0;
    }
  }
  return 0;
}
