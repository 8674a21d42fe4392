#include "score.hpp"

#include <cstdio>

namespace soak {

void Score::note_error(const switchyard::Error& error) {
  std::string kind(to_string(error.kind()));
  if (!error.sqlstate().empty()) kind += " " + std::string(error.sqlstate());
  ++errors_[kind];
}

void Score::fail(const std::string& what) {
  const std::lock_guard lock(mutex_);
  if (!failure_.empty()) return;
  failure_ = what;
  failed_ = true;
  std::fprintf(stderr, "WRONG (seed %llu): %s\n", static_cast<unsigned long long>(seed_), what.c_str());
  std::fflush(stderr);
}

std::string Score::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

std::uint64_t Score::total(Outcome outcome) const {
  std::uint64_t sum = 0;
  for (const auto& [shape, counts] : counts_) sum += counts.of[static_cast<int>(outcome)];
  return sum;
}

std::uint64_t Score::of(const std::string& shape, Outcome outcome) const {
  const auto at = counts_.find(shape);
  return at == counts_.end() ? 0 : at->second.of[static_cast<int>(outcome)];
}

void Score::merge(const Score& other) {
  for (const auto& [shape, counts] : other.counts_) {
    for (int i = 0; i < 4; ++i) counts_[shape].of[i] += counts.of[i];
  }
  for (const auto& [kind, count] : other.errors_) errors_[kind] += count;
  for (const auto& [what, count] : other.extra_) extra_[what] += count;
}

std::uint64_t Score::counted(const std::string& what) const {
  const auto at = extra_.find(what);
  return at == extra_.end() ? 0 : at->second;
}

void Score::print() const {
  std::printf("%-22s %12s %10s %10s %10s\n", "statement", "right", "refused", "timed out", "dropped");
  for (const auto& [shape, counts] : counts_) {
    std::printf("%-22s %12llu %10llu %10llu %10llu\n", shape.c_str(), static_cast<unsigned long long>(counts.of[0]),
                static_cast<unsigned long long>(counts.of[1]), static_cast<unsigned long long>(counts.of[2]),
                static_cast<unsigned long long>(counts.of[3]));
  }
  for (const auto& [kind, count] : errors_) {
    std::printf("  %10llu  %s\n", static_cast<unsigned long long>(count), kind.c_str());
  }
  for (const auto& [what, count] : extra_) {
    std::printf("  %10llu  lane: %s\n", static_cast<unsigned long long>(count), what.c_str());
  }
}

}  // namespace soak
