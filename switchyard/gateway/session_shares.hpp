// How many sessions the clients of each user and database may use at a time, over all shards, and whose turn it is
// when there are not enough. Any thread. Internal to the room.
//
// A claim is what the clients of one user at one database want together. A place goes to
//   1. a claim whose user (or database) has less than its guaranteed minimum,
//   2. else, of those that would not take what is guaranteed to somebody else, the user with the fewest sessions,
//   3. of those the claim that has waited longest.
// Within a claim clients are served in the order in which they came. What is guaranteed is kept free for those who
// have clients at the time; others find it when they come.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/config/gateway_config.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace switchyard::inline v0::gateway {

class SWITCHYARD_API SessionShares {
 public:
  /// Of one user, or one database.
  struct Bounds {
    std::uint32_t least = 0;  ///< guaranteed
    std::uint32_t most = 0;   ///< zero: any number
  };
  struct Limits {
    std::uint32_t most = 0;  ///< of all clients together; zero: any number
    Bounds user;             ///< of each that is not named
    std::map<std::string, Bounds, std::less<>> users;
    std::map<std::string, Bounds, std::less<>> databases;

    /// Is there anything to be counted?
    [[nodiscard]] bool any() const noexcept;
  };
  [[nodiscard]] static Limits limits_of(const GatewayConfig& config);

  /// One user's clients at one database, on one shard.
  class Claim {
   private:
    friend class SessionShares;
    std::string user_;
    std::string database_;
    std::function<void()> wake_;
    std::uint32_t used_ = 0;     ///< places that its clients have, those on their way to them included
    std::uint32_t granted_ = 0;  ///< of them: not taken yet
    std::uint32_t wanted_ = 0;   ///< clients that wait for a place
    std::uint64_t since_ = 0;    ///< when the first of these came: a number that grows
    bool open_ = true;
  };

  explicit SessionShares(Limits limits) : limits_(std::move(limits)), active_(limits_.any()) {}
  SessionShares(const SessionShares&) = delete;
  SessionShares& operator=(const SessionShares&) = delete;

  /// Other limits from now on; nobody loses what he has.
  void set_limits(Limits limits);

  /// False: there are no limits, and nobody has to ask. Who has not asked has nothing to give back.
  [[nodiscard]] bool active() const noexcept { return active_.load(std::memory_order_relaxed); }

  /// `wake` is called on any thread when a place has been granted to somebody who waited: post and return.
  [[nodiscard]] std::shared_ptr<Claim> open(std::string user, std::string database, std::function<void()> wake);
  /// It has nothing any more, and hears nothing.
  void close(Claim& claim);

  /// A place at once, if nobody waits who comes first.
  [[nodiscard]] bool try_take(Claim& claim);
  /// One client more waits for a place. True: it has been granted at once.
  [[nodiscard]] bool wait(Claim& claim);
  /// One of those who wait for a place does so no longer, granted or not.
  void withdraw(Claim& claim);
  /// Takes a place that was granted; false: none was.
  [[nodiscard]] bool take_granted(Claim& claim);
  /// True: somebody else has got it, and may need a session in this one's stead.
  bool give_back(Claim& claim);
  /// Places that have been granted and not been taken.
  [[nodiscard]] std::uint32_t granted(const Claim& claim) const;

  /// Places that the user's clients have now.
  [[nodiscard]] std::uint32_t used(std::string_view user) const;

 private:
  using Counts = std::map<std::string, std::uint32_t, std::less<>>;

  [[nodiscard]] Bounds user_bounds(std::string_view user) const noexcept;
  [[nodiscard]] Bounds database_bounds(std::string_view database) const noexcept;
  [[nodiscard]] bool may_take(const Claim& claim) const;
  [[nodiscard]] bool below_minimum(const Claim& claim) const;
  void count(Claim& claim);
  void uncount(Claim& claim);
  /// Gives what is free to those whose turn it is. True: to others than `giver`.
  bool grant(const Claim* giver = nullptr);

  mutable std::mutex mutex_;
  Limits limits_;
  std::atomic<bool> active_;
  std::list<std::shared_ptr<Claim>> claims_;
  Counts users_;
  Counts databases_;
  std::uint32_t all_ = 0;
  std::uint64_t clock_ = 0;
};

}  // namespace switchyard::inline v0::gateway
