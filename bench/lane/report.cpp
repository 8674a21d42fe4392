#include "report.hpp"

#include <sys/utsname.h>

#include <cstdio>
#include <fstream>
#include <thread>

namespace lane_bench {
namespace {

double per_second(const Sample& sample) { return sample.per_second; }
double cpu(const Sample& sample) { return sample.cpu(); }

template <class F>
double median_of(const std::map<int, Sample>& rounds, F what) {
  std::vector<double> values;
  for (const auto& [round, sample] : rounds) values.push_back(what(sample));
  return median(std::move(values));
}

std::string cell(double value) {
  char text[32];
  if (value < 0) return "-";
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

constexpr const char* kOrder[] = {kPgbench, kLibpq, kLeased, kLane, kCeiling};

}  // namespace

const char* to_string(Transport transport) { return transport == Transport::tcp ? "tcp" : "unix"; }
const char* to_string(Mix mix) { return mix == Mix::reads ? "reads" : "95/5"; }

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void Results::add(const Place& place, const std::string& contender, int round, Sample sample) {
  results_[place][contender][round] = std::move(sample);
}

const Results::Rounds* Results::find(const Place& place, const std::string& contender) const {
  const auto at = results_.find(place);
  if (at == results_.end()) return nullptr;
  const auto rounds = at->second.find(contender);
  return rounds == at->second.end() ? nullptr : &rounds->second;
}

double Results::ratio(const Place& place, const std::string& contender, const std::string& to,
                      double (*what)(const Sample&)) const {
  const Rounds* ours = find(place, contender);
  const Rounds* theirs = find(place, to);
  std::vector<double> values;
  if (ours == nullptr || theirs == nullptr) return -1;
  for (const auto& [round, sample] : *ours) {
    const auto other = theirs->find(round);
    if (other != theirs->end() && what(other->second) > 0) values.push_back(what(sample) / what(other->second));
  }
  return values.empty() ? -1 : median(std::move(values));
}

void Results::print() const {
  for (const auto& [place, contenders] : results_) {
    std::printf("\n### %s, %s, %d callers\n\n", to_string(place.transport), to_string(place.mix), place.callers);
    std::printf(
        "| contender | statements/s | p50 us | p99 us | p99.9 us | CPU us: client + server | sessions | x %s |"
        " x %s | CPU x %s |\n|---|---|---|---|---|---|---|---|---|---|\n",
        kPgbench, kCeiling, kPgbench);
    for (const char* name : kOrder) {
      const Rounds* rounds = find(place, name);
      if (rounds == nullptr) continue;
      const std::string& note = rounds->begin()->second.note;
      std::printf("| %s | %.0f | %.0f | %.0f | %.0f | %.2f + %.2f | %.0f | %s | %s | %s |\n",
                  (std::string(name) + (note.empty() ? "" : " (" + note + ")")).c_str(),
                  median_of(*rounds, per_second), median_of(*rounds, [](const Sample& s) { return s.p50; }),
                  median_of(*rounds, [](const Sample& s) { return s.p99; }),
                  median_of(*rounds, [](const Sample& s) { return s.p999; }),
                  median_of(*rounds, [](const Sample& s) { return s.client_cpu; }),
                  median_of(*rounds, [](const Sample& s) { return s.server_cpu; }),
                  median_of(*rounds, [](const Sample& s) { return static_cast<double>(s.sessions); }),
                  cell(ratio(place, name, kPgbench, per_second)).c_str(),
                  cell(ratio(place, name, kCeiling, per_second)).c_str(),
                  cell(ratio(place, name, kPgbench, cpu)).c_str());
    }
  }
}

int Results::print_wanted() const {
  struct Bound {
    int callers;
    const char* to;
    double (*what)(const Sample&);
    double bound;
    bool at_least;
    const char* name;
  };
  static constexpr Bound kBounds[] = {
      {16, kPgbench, per_second, 1.0, true, "throughput"},  {64, kPgbench, per_second, 2.0, true, "throughput"},
      {64, kCeiling, per_second, 0.8, true, "throughput"},  {64, kPgbench, cpu, 0.6, false, "CPU a statement"},
      {128, kPgbench, per_second, 3.0, true, "throughput"}, {128, kCeiling, per_second, 0.8, true, "throughput"},
  };
  int broken = 0;
  std::printf("\n### Wanted: point reads on a Unix socket\n\n");
  for (const Bound& bound : kBounds) {
    const double value = ratio({Transport::unix_socket, Mix::reads, bound.callers}, kLane, bound.to, bound.what);
    if (value < 0) continue;
    const bool holds = bound.at_least ? value >= bound.bound : value <= bound.bound;
    broken += holds ? 0 : 1;
    std::printf("- %s %d callers: %s %.2f x %s (wanted %s %.1f)\n", holds ? "yes" : "NO ", bound.callers,
                bound.name, value, bound.to, bound.at_least ? ">=" : "<=", bound.bound);
  }
  return broken;
}

void Results::write_json(const std::string& path, const std::string& machine) const {
  std::ofstream out(path);
  out << "{\"machine\": \"" << machine << "\", \"samples\": [";
  const char* separator = "\n";
  for (const auto& [place, contenders] : results_) {
    for (const auto& [name, rounds] : contenders) {
      for (const auto& [round, sample] : rounds) {
        out << separator << " {\"transport\": \"" << to_string(place.transport) << "\", \"mix\": \""
            << to_string(place.mix) << "\", \"callers\": " << place.callers << ", \"contender\": \"" << name
            << "\", \"round\": " << round << ", \"per_second\": " << sample.per_second
            << ", \"p50_us\": " << sample.p50 << ", \"p99_us\": " << sample.p99 << ", \"p999_us\": " << sample.p999
            << ", \"client_cpu_us\": " << sample.client_cpu << ", \"server_cpu_us\": " << sample.server_cpu
            << ", \"sessions\": " << sample.sessions << ", \"note\": \"" << sample.note << "\"}";
        separator = ",\n";
      }
    }
  }
  out << "\n]}\n";
}

std::string machine() {
  std::string model = "processor";
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with("model name")) continue;
    model = line.substr(line.find(':') + 2);
    break;
  }
  utsname kernel{};
  uname(&kernel);
  return std::to_string(std::thread::hardware_concurrency()) + " x " + model + ", Linux " + kernel.release;
}

}  // namespace lane_bench
