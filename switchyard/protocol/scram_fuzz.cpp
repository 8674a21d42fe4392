// Hostile SCRAM messages on both sides, and the texts around them.
#include <switchyard/protocol/crypto.hpp>
#include <switchyard/protocol/saslprep.hpp>
#include <switchyard/protocol/scram.hpp>
#include <switchyard/protocol/scram_server.hpp>
#include <switchyard/protocol/scram_verifier.hpp>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace switchyard;
using namespace switchyard::protocol;

void check_client(std::string_view text) {
  const std::size_t newline = text.find('\n');
  ScramClient::Options options;
  options.max_iterations = 20;
  options.nonce = [] { return std::string("n"); };
  ScramClient client(Secret("p"), options);
  if (!client.start().ok()) std::abort();
  if (!client.respond(text.substr(0, newline)).ok() || newline == std::string_view::npos) return;
  // Without the password nobody can find the signature.
  if (client.finish(text.substr(newline + 1)).ok()) std::abort();
}

void check_server(std::string_view text) {
  const std::size_t newline = text.find('\n');
  static const ScramVerifier verifier = ScramVerifier::make(Secret("p"), "salt", 10);
  ScramServer::Options options;
  options.nonce = [] { return std::string("n"); };
  ScramServer server(verifier, options);
  if (!server.start(text.substr(0, newline)).ok() || newline == std::string_view::npos) return;
  if (server.finish(text.substr(newline + 1)).ok()) std::abort();
}

void check_saslprep(std::string_view text) {
  const auto prepared = saslprep(text);
  if (prepared && prepared->find('\0') != std::string::npos && text.find('\0') == std::string_view::npos)
    std::abort();
}

void check_texts(std::string_view text) {
  const auto verifier = ScramVerifier::parse(text);
  if (verifier.ok() && !ScramVerifier::parse(verifier->text()).ok()) std::abort();
  const auto bytes = crypto::base64_decode(text);
  if (bytes && crypto::base64_encode(*bytes) != text) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0: check_client(text); break;
    case 1: check_server(text); break;
    case 2: check_saslprep(text); break;
    default: check_texts(text); break;
  }
  return 0;
}
