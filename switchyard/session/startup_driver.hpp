// One attempt to open a session at one address: transport, encryption, authentication. Internal to the room.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/config/connection_options.hpp>
#include <switchyard/protocol/startup_options.hpp>
#include <switchyard/runtime/address.hpp>
#include <switchyard/runtime/stream.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/runtime/tls.hpp>
#include <switchyard/session/connect_plan.hpp>
#include <switchyard/session/session_impl.hpp>

#include <memory>

namespace switchyard::inline v0::session {

/// What the TLS layer needs for these options; null when TLS is never used (sslmode=disable, or a Unix socket).
[[nodiscard]] Result<std::shared_ptr<const runtime::TlsContext>> tls_context(const ConnectionOptions& options,
                                                                             const HostSpec& host);
[[nodiscard]] runtime::TlsOptions tls_options(const ConnectionOptions& options, const HostSpec& host);
[[nodiscard]] runtime::ConnectOptions transport_options(const ConnectionOptions& options, const HostSpec& host);

/// Connects and starts up.
[[nodiscard]] Task<Result<Established>> establish(std::shared_ptr<const ConnectPlan> plan, const HostSpec& host,
                                                  runtime::SocketAddress address, TimePoint deadline);

}  // namespace switchyard::inline v0::session
