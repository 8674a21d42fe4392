// What is asked of a contender, and what it gives.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace lane_bench {

enum class Transport { unix_socket, tcp };

/// Point reads by primary key; a share of the statements are updates of one row by primary key.
enum class Mix { reads, reads_and_updates };
inline constexpr unsigned kUpdatePercent = 5;

inline constexpr int kRows = 100'000;
inline constexpr const char* kReadSql = "SELECT v FROM items WHERE id = $1";
inline constexpr const char* kUpdateSql = "UPDATE items SET v = v + 1 WHERE id = $1";

/// One slice: everything is connected and warm when the measured seconds begin.
struct Load {
  int callers = 64;
  Transport transport = Transport::unix_socket;
  Mix mix = Mix::reads;
  double warm_up_seconds = 0.4;
  double seconds = 2;
  unsigned seed = 1;
  int pool_max = 64;  ///< sessions that the fleet may open
};

/// Latencies of one slice.
class Latencies {
 public:
  void add(std::int64_t nanoseconds) {
    constexpr std::int64_t kMost = std::numeric_limits<std::uint32_t>::max();
    values_.push_back(static_cast<std::uint32_t>(std::clamp<std::int64_t>(nanoseconds, 0, kMost)));
  }
  [[nodiscard]] std::size_t count() const { return values_.size(); }
  void clear() { values_.clear(); }
  /// Microseconds; 0 when empty.
  [[nodiscard]] double quantile(double q) {
    if (values_.empty()) return 0;
    const auto at = values_.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(values_.size() - 1));
    std::nth_element(values_.begin(), at, values_.end());
    return 1e-3 * static_cast<double>(*at);
  }

 private:
  std::vector<std::uint32_t> values_;
};

struct Sample {
  double per_second = 0;
  double p50 = 0, p99 = 0, p999 = 0;      ///< microseconds
  double client_cpu = 0, server_cpu = 0;  ///< microseconds a statement
  int sessions = 0;                       ///< of the server that did something during the slice
  std::string note;                       ///< for people: what else there is to know; empty = nothing

  [[nodiscard]] double cpu() const { return client_cpu + server_cpu; }
};

}  // namespace lane_bench
