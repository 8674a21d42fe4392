// What one client listens on without a session, and what waits for it. Its LISTEN and UNLISTEN run on whatever
// session it has, so that the server says what they mean; when the transaction has ended the hub (listen_hub.hpp)
// listens in place of that session. No I/O.
//
//   LISTEN sent ──► expected (the hub listens already) ──► the session has it at the end: listening
//                        └─ it has not: forgotten
//   UNLISTEN ─────► taken away at COMMIT
//
// What comes on an expected channel counts if it came after the message that ended the transaction had been sent.
// A few that were committed shortly before may be among them, as with the server.
#pragma once

#include <switchyard/base/export.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::gateway {

class SWITCHYARD_API ClientListening {
 public:
  /// What may wait for the end of a transaction; a client with more is ended.
  static constexpr std::size_t kMostWaiting = 10'000;
  static constexpr std::size_t kMostBytes = std::size_t{1} << 20;

  struct Notification {
    std::int32_t pid;
    std::string channel;
    std::string payload;
  };

  /// Channels that the hub has to listen on before a text may be sent that says LISTEN to `names`.
  [[nodiscard]] std::vector<std::string> missing(std::span<const std::string> names) const;
  /// The hub does.
  void expect(std::span<const std::string> names);
  /// UNLISTEN is in the transaction; empty: of all.
  void unlisten(std::string_view name);
  /// A message that may end the transaction is sent.
  void sent() noexcept;
  void ended(bool committed);
  /// The session listens on these; true: the hub does on all of them, and the session need not any more.
  [[nodiscard]] bool confirm(std::span<const std::string> names);
  /// The session listens on none.
  void forget_expected();
  /// DISCARD ALL.
  void forget_all();

  [[nodiscard]] bool covers(std::string_view channel) const {
    return channels_.contains(channel) || expected_.contains(channel);
  }
  [[nodiscard]] const std::set<std::string, std::less<>>& channels() const noexcept { return channels_; }
  [[nodiscard]] bool expects() const noexcept { return !expected_.empty(); }
  [[nodiscard]] bool idle() const noexcept { return channels_.empty() && expected_.empty() && left_.empty(); }
  /// Channels that the hub need not have for this client any more, since it was asked last.
  [[nodiscard]] std::vector<std::string> take_left();

  /// False: too much waits.
  [[nodiscard]] bool add(std::int32_t pid, std::string_view channel, std::string_view payload);
  /// The first that the client is to be told, or null.
  [[nodiscard]] const Notification* front();
  void pop() noexcept;
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }

 private:
  void leave(std::string_view channel);

  std::set<std::string, std::less<>> channels_;
  std::set<std::string, std::less<>> expected_;
  std::vector<std::string> drops_;  ///< in the order of UNLISTEN; empty: all
  std::vector<std::string> left_;
  std::deque<Notification> waiting_;
  std::size_t bytes_ = 0;
};

}  // namespace switchyard::inline v0::gateway
