// A restart without losing a client: the new process takes over the listening sockets of the old one, and its
// clients one by one, each between two of its transactions. Internal to the room.
//
//     old (Handover):  waiting ──successor──► departing ──no client left──► done
//                         ▲                       │ successor gone: takes clients in again
//                         └───────────────────────┘
//     new (Takeover):  connected ──► clients arrive ──► over
//
// Of several shards each waits at a path of its own (handover_path()); the first shard of the new process asks them
// all and gives each client to the shard where it belongs. The old ones are done together.
//
// Clients in a transaction are waited for, others that hold a session as well, up to a limit; TLS clients stay with
// the old process until they leave, up to a longer one. Requests to cancel what the old process still runs come to
// the new one and are passed back.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/gateway/handover_message.hpp>
#include <switchyard/protocol/startup_options.hpp>
#include <switchyard/runtime/descriptor.hpp>
#include <switchyard/runtime/descriptor_channel.hpp>
#include <switchyard/runtime/listener.hpp>
#include <switchyard/runtime/owned_task.hpp>
#include <switchyard/runtime/timer.hpp>
#include <switchyard/runtime/turn_end.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace switchyard::inline v0::gateway {

/// Where shard `shard` waits, if the first one waits at `path`.
[[nodiscard]] std::string handover_path(const std::string& path, std::uint32_t shard);

/// What the old process's side needs of its gateway.
class HandoverHost {
 public:
  [[nodiscard]] virtual std::vector<std::uint32_t> client_ids() const = 0;
  /// The sockets that it listens on.
  [[nodiscard]] virtual std::vector<int> doors() const = 0;
  /// Accepts no more, or again.
  virtual void set_accepting(bool on) noexcept = 0;
  /// Hands over, by send(), each client that can go now and as long as there is room. `waited`: since it began.
  virtual void depart_clients(Duration waited) = 0;
  /// Clients that have not gone, of all shards; connections that have not logged in are among them.
  [[nodiscard]] virtual std::size_t clients_left() noexcept = 0;
  virtual void cancel_for_successor(const protocol::BackendKey& key) noexcept = 0;
  /// Nothing is left to be done.
  virtual void on_handed_over() noexcept = 0;

 protected:
  ~HandoverHost() = default;
};

class Handover final : private runtime::DescriptorChannel::Handler {
 public:
  /// More than this is not on its way at a time.
  static constexpr std::size_t kMaxUnsent = 4 << 20;

  /// Waits for a successor at a Unix-domain path, which only the own account may use. The host outlives it.
  [[nodiscard]] static Result<std::unique_ptr<Handover>> open(const std::string& path, HandoverHost& host);
  ~Handover();
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;

  [[nodiscard]] bool departing() const noexcept { return channel_ != nullptr && channel_->is_open() && !done_; }
  /// More may be sent now.
  [[nodiscard]] bool has_room() const noexcept { return channel_->unsent() < kMaxUnsent; }
  /// The socket is duplicated.
  void send(const TravellingClient& client, int socket);

 private:
  Handover(std::string path, HandoverHost& host) : path_(std::move(path)), host_(host) {}
  Result<void> listen();
  Task<void> accept();
  void begin(runtime::Descriptor successor);
  void on_message(ByteView message, runtime::Descriptor descriptor) noexcept override;
  void on_closed() noexcept override;
  static void on_tick(void* self) noexcept;
  static void on_gone(void* self) noexcept;
  void go_back() noexcept;

  const std::string path_;
  HandoverHost& host_;
  std::unique_ptr<runtime::Listener> listener_;
  std::unique_ptr<runtime::DescriptorChannel> channel_;
  TimePoint begun_{};
  bool done_ = false;
  runtime::Timer tick_{&Handover::on_tick, this};
  runtime::OwnedTask task_;
  runtime::TurnEnd gone_{&Handover::on_gone, this};  ///< the channel may close while the task is sending
};

class Takeover;

/// What the new process's side needs of its gateway.
class TakeoverHost {
 public:
  virtual void adopt(TravellingClient client, runtime::Descriptor socket) noexcept = 0;
  /// The old process, or its shard that this one is for, has nothing left, or is gone.
  virtual void on_taken_over(const Takeover& over) noexcept = 0;

 protected:
  ~TakeoverHost() = default;
};

class Takeover final : private runtime::DescriptorChannel::Handler {
 public:
  /// Over a connection to the path at which the other process waits: waits for its sockets (5 s).
  [[nodiscard]] static Result<std::unique_ptr<Takeover>> begin(runtime::Descriptor socket);

  /// Of the old process, each once.
  [[nodiscard]] std::vector<runtime::Descriptor> take_doors() noexcept { return std::move(doors_); }
  /// Ids of clients that may come.
  [[nodiscard]] const std::vector<std::uint32_t>& ids() const noexcept { return ids_; }
  /// Clients come from now on. The host outlives it.
  [[nodiscard]] Result<void> start(TakeoverHost& host);
  /// Asks the old process to cancel what a client of it runs.
  void cancel(const protocol::BackendKey& key);

 private:
  explicit Takeover(runtime::Descriptor socket) noexcept : socket_(std::move(socket)) {}
  [[nodiscard]] Result<void> greet();
  void on_message(ByteView message, runtime::Descriptor descriptor) noexcept override;
  void on_closed() noexcept override;

  runtime::Descriptor socket_;
  std::vector<runtime::Descriptor> doors_;
  std::vector<std::uint32_t> ids_;
  TakeoverHost* host_ = nullptr;
  std::unique_ptr<runtime::DescriptorChannel> channel_;
};

}  // namespace switchyard::inline v0::gateway
