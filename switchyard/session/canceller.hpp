// Asking a server to cancel what a session runs (manual chapter 55.2.8).
#pragma once

#include <switchyard/protocol/startup_options.hpp>
#include <switchyard/runtime/address.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/session/connect_plan.hpp>

#include <memory>
#include <string>

namespace switchyard::inline v0::session {

enum class CancelTransport : std::uint8_t { plain, tls };

/// Sends the request to the address the session is connected to, under TLS if the session is, and waits until the
/// server has closed the connection. Failures are silent: whether anything was cancelled shows at the session only.
[[nodiscard]] Task<void> request_cancel(std::shared_ptr<const ConnectPlan> plan, runtime::SocketAddress address,
                                        HostSpec host, protocol::BackendKey key, CancelTransport transport);

}  // namespace switchyard::inline v0::session
