// The distributions behind a fleet's status: what /metrics exports and what percentiles are computed from. Apart
// from FleetStatus because they are larger (some ten kilobytes an endpoint) and wanted less often.
#pragma once

#include <switchyard/fleet/status.hpp>
#include <switchyard/telemetry/histogram.hpp>
#include <switchyard/telemetry/operation_numbers.hpp>
#include <switchyard/telemetry/span_queue.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace switchyard::inline v0 {

/// Of one endpoint, since the start.
struct EndpointStatistics {
  std::string database;
  EndpointRole role = EndpointRole::primary;
  std::string name;  ///< as EndpointStatus::name
  Duration latency_target{};

  telemetry::OperationTotals reads;
  telemetry::OperationTotals writes;
  std::uint64_t committed = 0;  ///< transactions
  std::uint64_t rolled_back = 0;

  telemetry::HistogramData create_time;  ///< of connections: opening one
  telemetry::HistogramData wait_time;    ///< waiting for one, by operations, transactions and leases
  telemetry::HistogramData use_time;     ///< holding one
};

struct FleetStatistics {
  std::vector<EndpointStatistics> endpoints;  ///< that are configured, in the order of FleetStatus
  bool traced = false;                        ///< there is a collector to send traces to
  telemetry::TraceNumbers traces;
};

}  // namespace switchyard::inline v0
