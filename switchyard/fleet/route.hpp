// A route: the endpoint and access that operations of one kind take, with its reason. It gets each operation a
// session from the endpoint's pool, sets its deadline, and keeps the numbers. Routes live as long as their fleet,
// so a stored operation can always find its own; those who may outlive it (leases, transactions, notifications)
// share the route, which refuses from then on.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/pool/pool.hpp>
#include <switchyard/session/operation_state.hpp>
#include <switchyard/telemetry/histogram.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::fleet {

class Endpoint;

/// What the operations of a database are limited by.
struct RouteLimits {
  Duration command_timeout{};  ///< zero = none
  Duration query_timeout{};    ///< of single statements; zero = none
  Duration slow_query{};
  Duration slow_acquire{};
  std::size_t statement_length = 80;
  std::uint64_t max_result_bytes = session::kMaxResultBytes;
};

enum class RouteAccess : std::uint8_t { read, write };

class Route final : public session::OperationHost, public std::enable_shared_from_this<Route> {
 public:
  /// `reason` explains the choice: "primary", "replica 'api'", "analytics is not configured: main takes over".
  Route(std::string database, Endpoint& endpoint, RouteAccess access, RouteLimits limits, std::string reason);
  /// A route that can't be taken: every operation ends with `error`.
  Route(std::string database, Error error);
  ~Route();
  Route(const Route&) = delete;
  Route& operator=(const Route&) = delete;

  [[nodiscard]] std::string_view database() const noexcept { return database_; }
  [[nodiscard]] std::string_view reason() const noexcept { return reason_; }
  [[nodiscard]] bool read_only() const noexcept { return access_ == RouteAccess::read; }
  [[nodiscard]] Endpoint* endpoint() const noexcept { return endpoint_; }
  /// Why the route can't be taken; null if it can.
  [[nodiscard]] const Error* refusal() const noexcept { return refusal_ ? &*refusal_ : nullptr; }

  /// The fleet has gone: the endpoint is not used any more, and every operation ends with Closed.
  void retire() noexcept;

  /// Applies the database's limits: size of results, and the deadline, whose error names the limit that counts.
  void apply_limits(session::OperationState& operation, TimePoint now) const noexcept;
  /// A session that a channel had goes back to the pool.
  void take_back(session::Session& session) noexcept;

  // session::OperationHost
  void start(session::OperationState& operation) noexcept override;
  void abandon(session::OperationState& operation) noexcept override;
  void expire(session::OperationState& operation) noexcept override;
  void finished(session::OperationState& operation) noexcept override;

 private:
  /// An operation in the pool's queue.
  struct Queued final : pool::Request {
    explicit Queued(Route& owner) noexcept : route(owner) {}
    void on_granted(session::Session& session, Duration waited) noexcept override;
    void on_failed(const Error& error) noexcept override;
    Route& route;
    session::OperationState* operation = nullptr;
  };
  [[nodiscard]] Queued& take_queued();
  void give_queued(Queued& queued) noexcept;
  void note_slow_acquire(Duration waited) const;
  void note_slow_query(const session::OperationState& operation, Duration took) const;

  std::string database_;
  Endpoint* endpoint_ = nullptr;
  RouteAccess access_ = RouteAccess::write;
  RouteLimits limits_;
  std::string reason_;
  std::string command_timeout_text_;
  std::string query_timeout_text_;
  std::optional<Error> refusal_;
  std::vector<std::unique_ptr<Queued>> all_queued_;
  std::vector<Queued*> free_queued_;
};

}  // namespace switchyard::inline v0::fleet
