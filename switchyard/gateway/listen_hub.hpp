// One session that listens for all clients of a database and role, so that who listens needs no session for it
// (LISTEN through a hub). It is taken from the fleet's pool with the first channel and goes back some time after
// the last. Internal to the room.
//
// A member hears everything that comes on its channels from the moment on that it asked for them; which of it
// counts is the member's affair (client_listening.hpp). When the session is lost nobody knows what was missed: its
// members are told, and are none any more.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/fleet/channel.hpp>
#include <switchyard/fleet/database_handle.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/owned_task.hpp>
#include <switchyard/session/session.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::gateway {

class ListenHub final : private session::Session::Listener {
 public:
  /// Channels of all members at most; listen() refuses further ones.
  static constexpr std::size_t kMostChannels = 10'000;

  /// Called from the loop. May ask the hub for something, and leave it only from on_hub_ready() and on_hub_lost().
  class Member {
   public:
    virtual void on_notification(std::int32_t server_pid, std::string_view channel,
                                 std::string_view payload) noexcept = 0;
    /// What it asked for last holds; `ready` is false where no session was to be had.
    virtual void on_hub_ready(bool ready) noexcept = 0;
    virtual void on_hub_lost(const Error& reason) noexcept = 0;

   protected:
    ~Member() = default;
  };

  explicit ListenHub(DatabaseHandle database) : database_(database) {}
  ~ListenHub();
  ListenHub(const ListenHub&) = delete;
  ListenHub& operator=(const ListenHub&) = delete;

  /// on_hub_ready() follows when the server listens; also for channels that the member had already. False: there
  /// are too many, and nothing follows.
  [[nodiscard]] bool listen(Member& member, std::span<const std::string> channels);
  /// on_hub_ready() follows when everything that was committed before has been heard.
  void fence(Member& member);
  void leave(Member& member, std::string_view channel) noexcept;
  /// It hears nothing more.
  void leave(Member& member) noexcept;

  [[nodiscard]] std::size_t channels() const noexcept { return channels_.size(); }
  [[nodiscard]] bool has_session() const noexcept { return channel_ != nullptr; }

 private:
  struct Channel {
    std::vector<Member*> members;
    bool listens = false;
  };
  void on_notification(std::int32_t server_pid, std::string_view channel,
                       std::string_view payload) noexcept override;
  Task<void> run();
  /// Opens the session, and tells the server what has changed.
  Task<void> work();
  [[nodiscard]] bool has_work() const noexcept;
  [[nodiscard]] std::string changes() const;
  void hang_up() noexcept;
  void tell_lost(const Error& reason) noexcept;
  void answer(std::vector<Member*> members, bool ready) noexcept;

  DatabaseHandle database_;
  std::map<std::string, Channel, std::less<>> channels_;
  std::vector<Member*> waiting_;  ///< for on_hub_ready()
  // Null: it has left meanwhile.
  std::vector<Member*> asked_;    ///< those whose question is with the server
  std::vector<Member*> telling_;  ///< those who are being told
  std::shared_ptr<fleet::Channel> channel_;
  runtime::AsyncEvent wake_;
  runtime::OwnedTask task_;
};

}  // namespace switchyard::inline v0::gateway
