// The BudgetTable of this machine: a small file in memory (/dev/shm) that all processes of one user share. A
// process that dies is noticed by the kernel's lock on its entry; nothing has to be cleaned up after it. The last
// process that leaves in order removes the file.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/fleet/budget_ledger.hpp>

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace switchyard::inline v0::fleet {

/// One opening of the table. Any thread. It keeps a thread that sleeps until another process has news for this one.
class SWITCHYARD_API BudgetRegistry {
 public:
  /// Who hears of changes of an account. Called on the registry's thread.
  class Listener {
   public:
    [[nodiscard]] virtual BudgetIndex account() const noexcept = 0;
    /// Sessions that the account should give up, and whether a claim that was refused would be granted now.
    virtual void on_news(std::int32_t owed, bool may_claim) noexcept = 0;

   protected:
    ~Listener() = default;
  };

  /// The table that the processes of this user share on this machine; where that can't be had, one of this process
  /// alone (see shared()).
  [[nodiscard]] static std::shared_ptr<BudgetRegistry> of_machine();
  /// The table in this file, made if it is not there. Errors: Config, with what the system said.
  [[nodiscard]] static Result<std::shared_ptr<BudgetRegistry>> open(const std::string& path);
  /// A table for this process alone.
  [[nodiscard]] static std::shared_ptr<BudgetRegistry> alone();

  ~BudgetRegistry();
  BudgetRegistry(const BudgetRegistry&) = delete;
  BudgetRegistry& operator=(const BudgetRegistry&) = delete;

  /// Calls f(ledger, now) with the table locked, then wakes whom it concerns. f must not block.
  template <class F>
  auto with(F&& f) noexcept {
    lock();
    BudgetLedger ledger(table());
    struct Unlock {
      BudgetRegistry& self;
      BudgetLedger& ledger;
      ~Unlock() { self.unlock(ledger.take_pokes()); }
    } unlock{*this, ledger};
    return std::forward<F>(f)(ledger, now());
  }

  void attach(Listener& listener);
  void detach(Listener& listener) noexcept;

  /// Changes whenever a claim that was refused might succeed.
  [[nodiscard]] std::uint32_t changes() const noexcept;
  /// This process's entry.
  [[nodiscard]] BudgetIndex process() const noexcept { return process_; }
  /// False: other processes are seen through their servers only.
  [[nodiscard]] bool shared() const noexcept { return file_ >= 0; }
  [[nodiscard]] static BudgetTime now() noexcept;

 private:
  [[nodiscard]] static Result<std::shared_ptr<BudgetRegistry>> open_once(const std::string& path);
  struct Memory;
  BudgetRegistry(int file, Memory* memory) noexcept;

  [[nodiscard]] BudgetTable& table() const noexcept;
  void lock() noexcept;
  void unlock(const std::bitset<kMaxBudgetProcesses>& pokes) noexcept;
  [[nodiscard]] bool enter() noexcept;
  void leave() noexcept;
  void remove_if_last() noexcept;
  [[nodiscard]] bool alive(BudgetIndex process) const noexcept;
  void bury_the_dead(BudgetLedger& ledger, BudgetTime now) noexcept;
  void watch() noexcept;
  /// True while an account of this process waits.
  [[nodiscard]] bool tell_news() noexcept;
  static void wake(BudgetProcess& process) noexcept;

  int file_;  ///< -1: memory of this process
  std::string path_;
  Memory* memory_;
  BudgetIndex process_ = kNoBudgetIndex;
  std::int32_t pid_;
  std::mutex listeners_mutex_;
  std::vector<Listener*> listeners_;
  std::atomic<bool> stopping_{false};
  std::thread watcher_;  ///< started with the first listener
};

}  // namespace switchyard::inline v0::fleet
