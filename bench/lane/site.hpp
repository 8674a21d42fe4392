// The private server that everybody is measured on, and its table.
#pragma once

#include "sample.hpp"

#include <switchyard/embedded/private_cluster.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace lane_bench {

/// Whom the contenders log in as; its sessions are told apart by it.
inline constexpr const char* kRole = "lane_caller";
inline constexpr const char* kDatabase = "postgres";
/// For 1000 callers with a session each.
inline constexpr const char* kMaxConnections = "1100";

class Site {
 public:
  /// Starts the server and fills the table. Throws Error.
  Site();

  [[nodiscard]] switchyard::embedded::PrivateServer& server() const { return cluster_->primary(); }
  [[nodiscard]] pid_t postmaster() const { return server().pid(); }
  /// A folder for the Unix socket, 127.0.0.1 for TCP.
  [[nodiscard]] std::string host(Transport transport) const;
  [[nodiscard]] std::uint16_t port(Transport transport) const;
  /// "host=... port=... dbname=... user=...", without TLS.
  [[nodiscard]] std::string keywords(Transport transport) const;
  [[nodiscard]] std::string version() const;

 private:
  std::unique_ptr<switchyard::embedded::PrivateCluster> cluster_;
};

}  // namespace lane_bench
