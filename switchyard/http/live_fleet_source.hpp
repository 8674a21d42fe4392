// A running fleet as the source of the routes.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/http/fleet_source.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/owned_task.hpp>

#include <memory>

namespace switchyard::inline v0::http {

/// However many clients ask, one check runs at a time; those who come meanwhile share its answer. Belongs to the
/// fleet's shard and ends before the fleet.
class SWITCHYARD_API LiveFleetSource final : public FleetSource {
 public:
  explicit LiveFleetSource(Fleet& fleet, Duration check_timeout = std::chrono::seconds(5)) noexcept
      : fleet_(fleet), check_timeout_(check_timeout) {}

  [[nodiscard]] FleetStatus status() const override;
  Task<std::shared_ptr<const HealthReports>> health() override;

 private:
  Task<void> check();

  Fleet& fleet_;
  Duration check_timeout_;
  std::shared_ptr<const HealthReports> last_;
  runtime::AsyncEvent checked_;
  runtime::OwnedTask checking_;
};

}  // namespace switchyard::inline v0::http
