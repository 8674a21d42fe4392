// What one client has to do with replicas: which of its reads may go there, and what they have to have seen. Only
// for clients of databases with replicas. Internal to the room.
//
// - BEGIN READ ONLY, and BEGIN where default_transaction_read_only is on, is a read; so is everything of a client
//   that came to a read view ("main:read").
// - With auto_read, or default_transaction_read_only, so is a statement outside of transactions that is known to be
//   one (sql/verdict.hpp).
// - What the client has written, or may have, its reads have seen; with consistency = "strict" also what anybody
// has
//   written through this gateway before. Where that stands in the WAL is learnt when a read wants to know, by a
//   look at the primary that begins later (fleet/replica_chooser.hpp).
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/fleet/database_handle.hpp>
#include <switchyard/fleet/request_context.hpp>
#include <switchyard/gateway/destination.hpp>
#include <switchyard/gateway/wire_statement.hpp>
#include <switchyard/gateway/write_marks.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace switchyard::inline v0::gateway {

class ClientReads {
 public:
  struct Policy {
    bool view = false;  ///< it came for reads only
    bool auto_read = false;
    bool strict = false;
  };
  /// `database` is the fleet's name; `sessions` are those of its read view.
  ClientReads(std::string database, Destination& sessions, Policy policy, std::shared_ptr<WriteMark> mark)
      : database_(std::move(database)), sessions_(sessions), policy_(policy), mark_(std::move(mark)) {}

  [[nodiscard]] Destination& sessions() const noexcept { return sessions_; }
  [[nodiscard]] const Policy& policy() const noexcept { return policy_; }

  /// What a read that begins now has to have seen.
  [[nodiscard]] session::CallContext call();
  /// The database, for a read that begins now. Null: there is none.
  [[nodiscard]] const DatabaseHandle* handle();

  /// The statement is known to be a read that a replica may answer.
  [[nodiscard]] static bool may_go(const DatabaseHandle& database, const WireRequest& request);

  /// A transaction of the client that may have written is about to be answered.
  void wrote() noexcept;
  /// It comes from somewhere else: nobody knows what it has written.
  void arrived(TimePoint now) noexcept { wrote_ = now; }
  /// The client leaves a session of sessions().
  void left(const ServerLink& link) noexcept;
  /// It has lost one.
  void lost() noexcept;

  /// Where its last read went, and why: text that lives as long as the fleet.
  std::string_view route;
  /// Something of it stays on its sessions: it has them all at one server.
  bool stopped = false;

 private:
  std::string database_;
  Destination& sessions_;
  Policy policy_;
  std::shared_ptr<WriteMark> mark_;
  TimePoint wrote_{};
  TimePoint told_{};  ///< of the writes: what the context knows of
  std::shared_ptr<fleet::RequestContext> context_;
  std::unique_ptr<DatabaseHandle> handle_;
};

}  // namespace switchyard::inline v0::gateway
