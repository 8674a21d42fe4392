// Servers by hand, for tests of what is made of observations.
#pragma once

#include <switchyard/fleet/probe_answer.hpp>
#include <switchyard/fleet/topology.hpp>

#include <string>
#include <utility>
#include <vector>

namespace switchyard::fleet::testing {

inline constexpr std::uint64_t kCluster = 73;

/// Some moment of a virtual clock.
inline TimePoint at(Duration since_start) { return TimePoint(std::chrono::hours(1)) + since_start; }

inline PlaceDescription primary_place(std::string name = "primary") {
  PlaceDescription out;
  out.name = std::move(name);
  out.configured = true;
  return out;
}
inline PlaceDescription replica_place(std::string name, std::vector<std::string> purposes = {}) {
  PlaceDescription out;
  out.name = std::move(name);
  out.purposes = std::move(purposes);
  out.replica = true;
  return out;
}

inline ProbeAnswer primary_at(std::uint64_t lsn, std::uint32_t timeline = 1) {
  ProbeAnswer out;
  out.system_identifier = kCluster;
  out.timeline = timeline;
  out.timeline_exact = true;
  out.written = out.flushed = WalPosition(lsn);
  out.synchronous_commit = true;
  return out;
}
inline ProbeAnswer standby_at(std::uint64_t received, std::uint64_t replayed, std::uint32_t timeline = 1) {
  ProbeAnswer out;
  out.in_recovery = true;
  out.system_identifier = kCluster;
  out.timeline = timeline;
  out.timeline_exact = true;
  out.received = WalPosition(received);
  out.replayed = WalPosition(replayed);
  out.receiver = true;
  return out;
}

}  // namespace switchyard::fleet::testing
