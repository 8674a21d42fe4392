// The OpenSSL side of a TlsContext.
#pragma once

#include <switchyard/runtime/tls.hpp>

#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace switchyard::inline v0::runtime {

struct SslContextDeleter {
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
};

struct TlsContext::Native {
  std::unique_ptr<SSL_CTX, SslContextDeleter> context;
  bool server = false;
  bool check_chain = false;
  bool check_host = false;
  bool certificate_required = false;  // sslcertmode=require; of a server: clients must show one
  std::string min_version;            // for messages
  std::string max_version;
};

/// The newest error in OpenSSL's queue as text, and the queue emptied.
[[nodiscard]] std::string take_ssl_error();

}  // namespace switchyard::inline v0::runtime
