// What a run has seen. Everything but the verdict belongs to the thread of the callers.
#pragma once

#include <switchyard/base/error.hpp>

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>

namespace soak {

/// Somebody got what is not his, or not what he asked for: the end of the run.
class Wrong : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class Outcome {
  right,      ///< the answer was checked
  refused,    ///< an error that the disturbances explain
  timed_out,  ///< the caller's own time limit
  dropped,    ///< the caller went away
};

class Score {
 public:
  explicit Score(std::uint64_t seed) : seed_(seed) {}

  void note(const char* shape, Outcome outcome) { ++counts_[shape].of[static_cast<int>(outcome)]; }
  void note_error(const switchyard::Error& error);
  /// Something that happened so often beside: what the shared lane did.
  void count(const std::string& what, std::uint64_t times) { extra_[what] += times; }
  [[nodiscard]] std::uint64_t counted(const std::string& what) const;
  /// The first one counts; it is printed at once, with the seed. Any thread.
  void fail(const std::string& what);
  [[nodiscard]] bool failed() const { return failed_; }
  /// Any thread, after failed().
  [[nodiscard]] std::string failure() const;

  [[nodiscard]] std::uint64_t total(Outcome outcome) const;
  [[nodiscard]] std::uint64_t of(const std::string& shape, Outcome outcome) const;
  void merge(const Score& other);
  void print() const;

 private:
  struct Counts {
    std::uint64_t of[4] = {};
  };
  std::uint64_t seed_;
  std::map<std::string, Counts> counts_;
  std::map<std::string, std::uint64_t> errors_;
  std::map<std::string, std::uint64_t> extra_;
  std::atomic<bool> failed_{false};
  mutable std::mutex mutex_;
  std::string failure_;
};

}  // namespace soak
