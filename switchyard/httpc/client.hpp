// Asks web servers: Patroni for its members, a collector to take traces, Vault for secrets. Small on purpose: plain
// HTTP/1.1 with and without TLS, bodies in memory and bounded, one kept connection per server, no redirects, no
// cookies, no proxies, no compression.
//
//     httpc::Client client;
//     auto answer = co_await client.get("http://10.0.0.5:8008/cluster", {.timeout = 2s});
//     if (answer.ok() && answer->ok()) parse(answer->body);
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/httpc/message.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/runtime/tls.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace switchyard::inline v0::httpc {

struct ClientOptions {
  /// For https. The default trusts the system's authorities and wants the host's name in the certificate.
  runtime::TlsSettings tls{.verify = runtime::TlsSettings::Verify::full, .root_certificate = "system"};
  /// How long a connection is kept without a request.
  Duration idle_timeout = std::chrono::seconds(30);
  /// Servers to which a connection is kept; above, the longest unused is closed.
  std::size_t max_idle = 16;
};

/// What get() and post() need beyond address and body; see Request.
struct CallOptions {
  Headers headers;
  Duration timeout = std::chrono::seconds(10);
  std::size_t max_body_bytes = 1 << 20;
};

/// Belongs to the shard that uses it. Any number of requests at once, each on a connection of its own. A request
/// whose task is dropped closes its connection.
class SWITCHYARD_API Client {
 public:
  explicit Client(ClientOptions options = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// A Response for every answer, whatever its status. Errors say which request: "GET http://host:8008/cluster:
  /// ...". Config: a malformed address or header, a certificate that is not trusted. Unavailable: no connection
  /// (stage connecting), or it was lost (stage sent). Deadline: `timeout` passed. Protocol: the answer is no HTTP,
  /// or larger than a limit, which is named. A kept connection that the server had closed meanwhile is replaced,
  /// once, if the request is repeatable. The client outlives the task.
  [[nodiscard]] Task<Result<Response>> send(Request request);
  [[nodiscard]] Task<Result<Response>> get(std::string url, CallOptions options = {});
  [[nodiscard]] Task<Result<Response>> post(std::string url, std::string content_type, std::string body,
                                            CallOptions options = {});

  /// Connections kept at the moment.
  [[nodiscard]] std::size_t idle() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace switchyard::inline v0::httpc
