// What has passed through the gateway, by database, as PgBouncer counts it.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace switchyard::inline v0::gateway {

/// Counts since the start. Clients of a shard add to it directly.
struct Traffic {
  std::uint64_t assignments = 0;  ///< times a client was given a session
  std::uint64_t transactions = 0;
  std::uint64_t queries = 0;
  std::uint64_t shared = 0;            ///< of those: in a lane
  std::uint64_t pinned = 0;            ///< of those: on a session that the client has to keep
  std::uint64_t at_replicas = 0;       ///< reads that went to a replica: transactions, or statements outside of one
  std::uint64_t reads_at_primary = 0;  ///< reads that no replica could serve
  std::uint64_t received = 0;          ///< bytes, from clients
  std::uint64_t sent = 0;              ///< bytes, to clients
  Duration in_transactions{};
  Duration in_queries{};
  Duration waited{};  ///< for sessions
  std::uint64_t client_parses = 0;
  std::uint64_t server_parses = 0;
  std::uint64_t binds = 0;
  std::uint64_t logins = 0;

  Traffic& operator+=(const Traffic& other) noexcept;
};

/// What happened in the last period, per second or per event.
struct TrafficAverages {
  std::uint64_t assignments = 0;
  std::uint64_t transactions = 0;
  std::uint64_t queries = 0;
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  Duration transaction{};  ///< of one
  Duration query{};        ///< of one
  Duration wait{};         ///< of one assignment
  std::uint64_t client_parses = 0;
  std::uint64_t server_parses = 0;
  std::uint64_t binds = 0;
  std::uint64_t logins = 0;
};

/// The difference of two counts that lie `apart`.
[[nodiscard]] SWITCHYARD_API TrafficAverages averages_of(const Traffic& newer, const Traffic& older,
                                                         Duration apart);

/// The counts of all databases, and what they were one and two periods ago.
class SWITCHYARD_API TrafficBook {
 public:
  struct Page {
    Traffic now;
    Traffic newer;  ///< at the end of the last period
    Traffic older;  ///< at its beginning
  };

  /// Stays where it is. Only names of the fleet: their number is bounded.
  [[nodiscard]] Traffic& of(std::string_view database);
  /// A period has ended.
  void turn_page(TimePoint now);
  [[nodiscard]] const std::map<std::string, Page, std::less<>>& pages() const noexcept { return pages_; }
  /// Adds the counts of another shard, whose periods are as long.
  void add(const TrafficBook& other);
  /// Of the last period that has ended.
  [[nodiscard]] Duration period() const noexcept { return period_; }

 private:
  std::map<std::string, Page, std::less<>> pages_;
  TimePoint turned_{};
  Duration period_{};
};

}  // namespace switchyard::inline v0::gateway
