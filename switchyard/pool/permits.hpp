// PermitCounter: how many sessions the process may hold for one endpoint, shared by the pools of its shards.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/pool/permit_source.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

namespace switchyard::inline v0::pool {

/// A session exists only with a permit. Taking and giving back is one atomic operation; the lock is for the rare
/// case that a shard has callers and finds no permit: then the other shards hear of it and may give up an idle
/// session. Lives longer than every machine that uses it.
class SWITCHYARD_API PermitCounter {
 public:
  /// Called on any thread, under the lock: post to the shard and return.
  using Wake = void (*)(void* context) noexcept;

  /// One shard's part of the counter.
  class Member {
   private:
    friend class PermitCounter;
    std::atomic<std::uint32_t> in_use_{0};
    Wake wake_ = nullptr;
    void* context_ = nullptr;
    bool joined_ = false;
    bool starving_ = false;
  };

  /// Shards that can share a pool.
  static constexpr std::size_t kMaxMembers = 128;

  explicit PermitCounter(std::uint32_t max) noexcept : max_(max) {}
  PermitCounter(const PermitCounter&) = delete;
  PermitCounter& operator=(const PermitCounter&) = delete;

  /// Null if kMaxMembers have joined already.
  [[nodiscard]] Member* join() noexcept;
  void leave(Member& member) noexcept;
  /// `wake` is called when permits may have become free for this member, or another member wants one.
  void set_wake(Member& member, Wake wake, void* context) noexcept;

  /// A limit beyond `max` that every permit needs as well. Before the first try_take.
  void set_source(std::unique_ptr<PermitSource> source) noexcept { source_ = std::move(source); }
  /// Null: `max` is the only limit.
  [[nodiscard]] PermitSource* source() const noexcept { return source_.get(); }

  [[nodiscard]] bool try_take(PermitPurpose purpose = PermitPurpose::caller) noexcept {
    std::uint32_t taken = taken_.load(std::memory_order_relaxed);
    while (taken < max_) {
      if (taken_.compare_exchange_weak(taken, taken + 1, std::memory_order_relaxed)) {
        return !source_ || agreed(purpose);
      }
    }
    return false;
  }
  void give_back(const Member& giver) noexcept;

  /// The member has callers and found no permit (wakes the others), or that is over. Look again with try_take after
  /// saying true: a permit may have come back meanwhile.
  void set_starving(Member& member, bool starving) noexcept;

  /// The source may say yes now: all members look again. Any thread.
  void look_again() noexcept;
  /// The source wants `count` sessions back: idle ones at once, others when they are released. Replaces what was
  /// asked before. Any thread.
  void set_owed(std::uint32_t count) noexcept;
  [[nodiscard]] bool owes() const noexcept { return owed_.load(std::memory_order_relaxed) != 0; }
  /// One session less is owed: its taker closes one. False if none is.
  [[nodiscard]] bool take_owed() noexcept;
  /// The last try_take failed because of the source.
  [[nodiscard]] bool refused() const noexcept { return refused_.load(std::memory_order_relaxed); }

  /// The member's sessions in use; a plain store.
  static void publish_in_use(Member& member, std::uint32_t count) noexcept {
    member.in_use_.store(count, std::memory_order_relaxed);
  }
  /// Sessions in use in the whole process.
  [[nodiscard]] std::uint32_t in_use() const noexcept;

  [[nodiscard]] std::uint32_t max() const noexcept { return max_; }
  [[nodiscard]] std::uint32_t taken() const noexcept { return taken_.load(std::memory_order_relaxed); }
  /// Members that have callers and no permit.
  [[nodiscard]] std::uint32_t starving() const noexcept { return starving_.load(std::memory_order_relaxed); }

 private:
  struct alignas(64) Padded : Member {};

  [[nodiscard]] bool agreed(PermitPurpose purpose) noexcept;
  void wake_all() noexcept;

  const std::uint32_t max_;
  std::atomic<std::uint32_t> taken_{0};
  std::atomic<std::uint32_t> starving_{0};
  std::atomic<std::uint32_t> owed_{0};
  std::atomic<bool> refused_{false};
  std::atomic<std::uint32_t> used_members_{0};
  std::mutex mutex_;
  std::array<Padded, kMaxMembers> members_;
  std::unique_ptr<PermitSource> source_;  // last: it may call until it is gone
};

}  // namespace switchyard::inline v0::pool
