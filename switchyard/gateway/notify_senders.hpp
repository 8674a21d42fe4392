// Which client a notification comes from: the server names the process that sent it, which works for many clients.
// Internal to the room.
#pragma once

#include <switchyard/base/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>

namespace switchyard::inline v0::gateway {

/// Clients of one database and role that have sent NOTIFY or called pg_notify(), by the server process that they
/// did it with. One thread.
class NotifySenders {
 public:
  /// Beyond that the oldest are forgotten with all the others: their notifications carry the server's process id.
  static constexpr std::size_t kMost = 10'000;
  /// A notification may come so long after its client has left the process to others.
  static constexpr Duration kLate = std::chrono::seconds(1);

  void sends(std::int32_t server_pid, std::uint32_t client) {
    if (senders_.size() >= kMost) senders_.clear();
    senders_[server_pid] = {client, kNever};
  }
  /// The client has left the process at `now`.
  void left(std::int32_t server_pid, std::uint32_t client, TimePoint now) noexcept {
    const auto found = senders_.find(server_pid);
    if (found != senders_.end() && found->second.client == client) {
      found->second.until = deadline_after(now, kLate);
    }
  }
  [[nodiscard]] std::optional<std::uint32_t> sender(std::int32_t server_pid, TimePoint now) const noexcept {
    const auto found = senders_.find(server_pid);
    if (found == senders_.end() || now > found->second.until) return std::nullopt;
    return found->second.client;
  }

 private:
  struct Sender {
    std::uint32_t client = 0;
    TimePoint until = kNever;
  };
  std::unordered_map<std::int32_t, Sender> senders_;
};

}  // namespace switchyard::inline v0::gateway
