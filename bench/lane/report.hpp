// Results of a run: medians over the rounds as tables, ratios, what the project wants, and JSON.
#pragma once

#include "sample.hpp"

#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace lane_bench {

inline constexpr const char* kPgbench = "pgbench";
inline constexpr const char* kLibpq = "libpq pipeline";
inline constexpr const char* kLeased = "leased";
inline constexpr const char* kLane = "lane";
inline constexpr const char* kCeiling = "ceiling";

[[nodiscard]] const char* to_string(Transport transport);
[[nodiscard]] const char* to_string(Mix mix);

[[nodiscard]] double median(std::vector<double> values);

struct Place {
  Transport transport;
  Mix mix;
  int callers;
  friend auto operator<=>(const Place&, const Place&) = default;
};

class Results {
 public:
  /// One sample a round; contenders of a round share `round`.
  void add(const Place& place, const std::string& contender, int round, Sample sample);

  void print() const;
  /// Bounds of the project that these results can judge, one line each; gives how many do not hold.
  int print_wanted() const;
  void write_json(const std::string& path, const std::string& machine) const;

 private:
  using Rounds = std::map<int, Sample>;
  [[nodiscard]] const Rounds* find(const Place& place, const std::string& contender) const;
  /// The median of the ratios within each round; negative when there is nothing to compare.
  [[nodiscard]] double ratio(const Place& place, const std::string& contender, const std::string& to,
                             double (*what)(const Sample&)) const;
  std::map<Place, std::map<std::string, Rounds>> results_;
};

/// Processors and kernel.
[[nodiscard]] std::string machine();

}  // namespace lane_bench
