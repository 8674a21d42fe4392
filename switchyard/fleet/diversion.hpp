// Where operations may go instead of the endpoints of their route: what a database's fallback is to its routes.
#pragma once

#include <switchyard/runtime/task.hpp>
#include <switchyard/session/operation_state.hpp>

#include <cstdint>
#include <memory>

namespace switchyard::inline v0::fleet {

class Channel;
class Route;

/// What the operations of a route are for, as far as the route knows.
enum class RouteUse : std::uint8_t {
  mixed,         ///< autocommit operations and transactions of the database itself
  reads,         ///< the read view
  strict_reads,  ///< the read view, and an answer that may miss something is an error
};

class Diversion {
 public:
  /// There is somewhere else to go: nobody has to wait until the database comes back.
  [[nodiscard]] virtual bool has_other_way() const noexcept = 0;
  /// Reads go there now.
  [[nodiscard]] virtual bool stands_in() const noexcept = 0;
  /// Asked before an endpoint is chosen. True: it has taken the operation over, and ends it or gives it back
  /// through Route::send().
  [[nodiscard]] virtual bool takes(session::OperationState& operation, Route& route) noexcept = 0;
  /// The operation has failed before anything of it was sent. True: as above; the error is forgotten.
  [[nodiscard]] virtual bool rescues(session::OperationState& operation, Route& route) noexcept = 0;
  /// The ground of a transaction that does not go to an endpoint; null: it does. `failure` is why opening a session
  /// has failed, or null before that was tried. Throws Error.
  virtual Task<std::shared_ptr<Channel>> divert(Route& route, session::CallContext call, const Error* failure) = 0;

 protected:
  ~Diversion() = default;
};

}  // namespace switchyard::inline v0::fleet
