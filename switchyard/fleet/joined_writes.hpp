// Writes of one database on behalf of a transaction on another:
//
//   co_await request[main_db].transaction([&](sy::Transaction& tx) -> sy::Task<void> {
//     co_await tx.execute("INSERT INTO orders ...");
//     co_await request[analytics].within(tx).execute("INSERT INTO facts ...");
//   });
//
// While `analytics` serves, the write goes there at once and on its own, as without within(). While it is down its
// spool keeps the write inside `tx`: it comes to pass if and only if `tx` commits.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/session/querier.hpp>

#include <memory>
#include <utility>

namespace switchyard::inline v0 {

/// The verbs; those that give rows are as on the database itself.
class SWITCHYARD_API JoinedWrites : public Querier {
 public:
  /// `keeper` keeps the host; null when that lives as long as the fleet.
  JoinedWrites(session::OperationHost& host, std::shared_ptr<void> keeper, session::CallContext call) noexcept
      : Querier(host) {
    call_ = std::move(call);
    keeper_ = std::move(keeper);
  }
};

}  // namespace switchyard::inline v0
