// What the routes want to know of a fleet. An interface, so that their documents can be tested on any state.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/fleet/status.hpp>
#include <switchyard/runtime/task.hpp>

#include <memory>
#include <vector>

namespace switchyard::inline v0::http {

using HealthReports = std::vector<HealthReport>;

class SWITCHYARD_API FleetSource {
 public:
  virtual ~FleetSource();
  /// The state as it is; asks no server. Every database has its primary's endpoint first, configured or not.
  [[nodiscard]] virtual FleetStatus status() const = 0;
  /// Checks every endpoint with SELECT 1.
  virtual Task<std::shared_ptr<const HealthReports>> health() = 0;
};

}  // namespace switchyard::inline v0::http
