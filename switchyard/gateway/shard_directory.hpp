// The shards of one gateway: which of them gets a new client, and calls from one to another. Any thread.
//
// Clients of one database and role share lanes, the more of them the better, so they go to one shard as long as
// that has time to spare.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/protocol/server_startup.hpp>
#include <switchyard/protocol/startup_options.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/stream_parcel.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

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

 protected:
  ~ShardMember() = default;
};

class SWITCHYARD_API ShardDirectory {
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

  /// The shard for a new client of this database and role.
  [[nodiscard]] std::uint32_t place(std::string_view database, std::string_view user);
  /// Runs `what` on that shard soon; false when it is not there (any more).
  bool call(std::uint32_t shard, std::function<void(ShardMember&)> what);

  /// Clients past their startup packet, on all shards.
  std::atomic<std::uint32_t> clients{0};

 private:
  struct Entry {
    runtime::Shard* shard = nullptr;  // null: not there
    ShardMember* member = nullptr;    // touched on its own shard only, once there
    std::uint32_t keys = 0;
    std::uint32_t load = 0;
  };
  [[nodiscard]] std::uint32_t least_loaded() const noexcept;

  std::mutex mutex_;
  std::vector<std::shared_ptr<Entry>> entries_;  // by the shard's number
  std::map<std::string, std::uint32_t, std::less<>> owners_;
};

}  // namespace switchyard::inline v0::gateway
