// Exclusive use of one session: for session state (settings, temporary tables, advisory locks, cursors), and the
// ground of transactions. Whatever is left on the session is undone before somebody else gets it.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/fleet/request.hpp>
#include <switchyard/fleet/transaction.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/session/querier.hpp>

#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace switchyard::inline v0 {

namespace fleet {
class Channel;
class Route;
[[nodiscard]] SWITCHYARD_API session::OperationHost& channel_host(Channel& channel) noexcept;
SWITCHYARD_API void mark_dirty(Channel& channel) noexcept;
[[nodiscard]] SWITCHYARD_API std::int32_t server_pid(const Channel& channel) noexcept;
}  // namespace fleet

/// A session of one's own. One operation at a time; several at once are a Usage error.
class SWITCHYARD_API Lease : public Querier {
 public:
  explicit Lease(std::shared_ptr<fleet::Channel> channel) noexcept
      : Querier(fleet::channel_host(*channel)), channel_(std::move(channel)) {
    keeper_ = channel_;
    fleet::mark_dirty(*channel_);
  }
  Lease(Lease&&) noexcept = default;
  Lease& operator=(Lease&&) = delete;
  ~Lease() { release(); }

  /// A transaction on this session; see DatabaseHandle::transaction.
  template <class F>
  SWITCHYARD_COROUTINE_WRAPPER Task<fleet::TransactionResult<F>> transaction(TransactionOptions options,
                                                                             F function) {
    return fleet::run_transaction(channel_, options, std::move(function));
  }
  template <class F>
  SWITCHYARD_COROUTINE_WRAPPER Task<fleet::TransactionResult<F>> transaction(F function) {
    return transaction(TransactionOptions{}, std::move(function));
  }

  /// Of the server process, as it was told when the session was opened (a pooler makes it up); 0 once it is lost.
  [[nodiscard]] std::int32_t server_pid() const noexcept { return channel_ ? fleet::server_pid(*channel_) : 0; }

  /// Gives the session back; the lease is over. A running operation is cancelled first.
  void release() noexcept {
    if (channel_) fleet::let_go(std::move(channel_));
  }

 private:
  std::shared_ptr<fleet::Channel> channel_;
};

}  // namespace switchyard::inline v0
