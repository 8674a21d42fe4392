// The shards of one gateway: which of them gets a new client, and calls from one to another. Any thread.
//
// Clients of one database and role share lanes, the more of them the better, so they go to one shard as long as
// that has time to spare.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/gateway/client_counts.hpp>
#include <switchyard/gateway/console_order.hpp>
#include <switchyard/gateway/session_shares.hpp>
#include <switchyard/gateway/shard_report.hpp>
#include <switchyard/gateway/travelling_client.hpp>
#include <switchyard/gateway/write_marks.hpp>
#include <switchyard/protocol/server_startup.hpp>
#include <switchyard/protocol/startup_options.hpp>
#include <switchyard/runtime/descriptor.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/stream_parcel.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace switchyard::inline v0::fleet {
class SharedPermits;
}

namespace switchyard::inline v0::gateway {

/// A client that has said whom it wants, on its way to the shard that gets it.
struct ArrivingClient {
  runtime::StreamParcel connection;
  protocol::ServerStartupMachine startup;
};

/// What one shard does for the others; called on its own thread.
class ShardMember {
 public:
  virtual void adopt(ArrivingClient client) noexcept = 0;
  /// A cancel request that another shard has got, on behalf of its connection `asker`; on_cancel_done() there
  /// follows.
  virtual void cancel_for(const protocol::BackendKey& key, std::uint32_t asker) noexcept = 0;
  virtual void on_cancel_done(std::uint32_t asker) noexcept = 0;
  /// What it looks like.
  [[nodiscard]] virtual ShardReport report(ReportParts parts) const = 0;
  /// All shards have been asked for their report.
  virtual void on_reports(std::uint64_t question, const ShardReport& all) noexcept = 0;
  virtual void obey(const ConsoleOrder& order) noexcept = 0;
  /// A client that comes from another process.
  virtual void adopt_travelling(TravellingClient client, runtime::Descriptor socket) noexcept = 0;
  /// The first shard is where it wants to be: wait for a process that takes over, beside it.
  virtual void await_successor(const std::string& path) noexcept = 0;

 protected:
  ~ShardMember() = default;
};

class SWITCHYARD_API ShardDirectory : public std::enable_shared_from_this<ShardDirectory> {
 public:
  /// As many shards as the process id in a key for cancel requests can name.
  static constexpr std::uint32_t kMaxShards = 64;
  /// Keys that are remembered; a further one goes to the shard with the least to do.
  static constexpr std::size_t kMaxKeys = 4096;
  /// A shard that worked so much of the last second gets no further client while another has less to do, per mille.
  static constexpr std::uint32_t kBusy = 700;

  /// On the member's shard. False: that number is taken, or too large.
  [[nodiscard]] bool join(runtime::Shard& shard, ShardMember& member);
  /// On the member's shard; it is called no more.
  void leave(std::uint32_t shard) noexcept;
  /// How much of the last second it worked, per mille.
  void report_load(std::uint32_t shard, std::uint32_t per_mille) noexcept;

  /// The shard for a new client of this database and role, which has not proved yet who it is.
  [[nodiscard]] std::uint32_t place(std::string_view database, std::string_view user) const;
  /// One has logged in there: others follow it. (What somebody only claims leaves nothing behind.)
  void remember(std::string_view database, std::string_view user, std::uint32_t shard);
  /// Runs `what` on that shard soon; false when it is not there (any more).
  bool call(std::uint32_t shard, std::function<void(ShardMember&)> what);

  /// Runs `what` on all shards but that one, soon.
  void call_others(std::uint32_t shard, const std::function<void(ShardMember&)>& what);
  /// Asks every shard for its report; `asker` gets the sum (on_reports()).
  void gather(std::uint32_t asker, std::uint64_t question, ReportParts parts);

  /// The limits of one role's pools at one database, for the fleets of all shards that have any. `role` says how
  /// large they are as well.
  [[nodiscard]] std::shared_ptr<fleet::SharedPermits> permits_of(const std::string& database,
                                                                 const std::string& role);

  // Clients that came from another process keep the ids that they were told there, whatever shard these name.
  /// Ids that may come: nobody else gets them. Or they don't come any more.
  void expect(std::span<const std::uint32_t> ids);
  void expect_no_more(std::span<const std::uint32_t> ids);
  void settle(std::uint32_t id, std::uint32_t shard);
  void unsettle(std::uint32_t id) noexcept;
  /// Where it lives, if it is one of these.
  [[nodiscard]] std::optional<std::uint32_t> home_of(std::uint32_t id) const;
  [[nodiscard]] bool is_travelled(std::uint32_t id) const;

  /// Of a process that is taken over from: clients that a shard still has. Unknown: it has not begun to hand over.
  static constexpr std::uint32_t kUnknown = ~std::uint32_t{0};
  void set_left(std::uint32_t shard, std::uint32_t count) noexcept;
  /// Of all shards; kUnknown if one has not begun.
  [[nodiscard]] std::size_t all_left() const noexcept;

  WriteMarks write_marks;
  /// Clients past their startup packet, on all shards.
  std::atomic<std::uint32_t> clients{0};
  /// Those of each database and user.
  ClientCounts counts;
  /// What they may have of the sessions.
  const std::shared_ptr<SessionShares> shares = std::make_shared<SessionShares>(SessionShares::Limits());

 private:
  struct Entry {
    runtime::Shard* shard = nullptr;  // null: not there
    ShardMember* member = nullptr;    // touched on its own shard only, once there
    std::uint32_t keys = 0;
    std::uint32_t load = 0;
    std::uint32_t left = kUnknown;
  };
  [[nodiscard]] std::uint32_t least_loaded() const noexcept;

  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Entry>> entries_;  // by the shard's number
  std::map<std::string, std::uint32_t, std::less<>> owners_;
  static constexpr std::uint32_t kNowhere = kMaxShards;         ///< expected, not here yet
  std::unordered_map<std::uint32_t, std::uint32_t> travelled_;  ///< their shards
  std::map<std::pair<std::string, std::string>, std::weak_ptr<fleet::SharedPermits>> permits_;
};

}  // namespace switchyard::inline v0::gateway
