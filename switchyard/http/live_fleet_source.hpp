// A running fleet as the source of the routes.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/http/fleet_source.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/owned_task.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace switchyard::inline v0::http {

/// However many clients ask, one check runs at a time; those who come meanwhile share its answer. Belongs to the
/// fleet's shard and ends before the fleet.
class SWITCHYARD_API LiveFleetSource final : public FleetSource {
 public:
  explicit LiveFleetSource(Fleet& fleet, Duration check_timeout = std::chrono::seconds(5)) noexcept
      : fleet_(fleet), check_timeout_(check_timeout) {}

  /// The door is not the fleet's to know of. `status` is called on the fleet's shard as long as this lives.
  void set_door(std::function<WireDoorStatus()> status) { door_ = std::move(status); }
  /// The fleet has others like it on further shards: their figures are added. `each` runs what it is given for each
  /// of them, where they live, and comes back when that is done.
  using EachFleet = std::function<void(const std::function<void(Fleet&)>&)>;
  void set_other_shards(EachFleet each) { others_ = std::move(each); }

  /// Nor are the backups. `status` gives what is known of a database's; it must not block.
  void set_backups(std::function<std::optional<BackupStatus>(const std::string& database)> status) {
    backups_ = std::move(status);
  }

  [[nodiscard]] FleetStatus status() const override;
  Task<std::shared_ptr<const HealthReports>> health() override;
  [[nodiscard]] FleetStatistics statistics() const override;
  std::vector<DatabaseFacts> facts() override;
  [[nodiscard]] std::vector<telemetry::KeptEvent> events(std::uint64_t sequence, std::size_t most) const override {
    return telemetry::events().since(sequence, most);
  }
  [[nodiscard]] std::vector<telemetry::EventCount> event_counts() const override {
    return telemetry::events().counts();
  }

 private:
  Task<void> check();
  Task<void> ask_for_facts();

  Fleet& fleet_;
  Duration check_timeout_;
  std::function<WireDoorStatus()> door_;
  EachFleet others_;
  std::function<std::optional<BackupStatus>(const std::string& database)> backups_;
  std::shared_ptr<const HealthReports> last_;
  runtime::AsyncEvent checked_;
  runtime::OwnedTask checking_;
  std::vector<DatabaseFacts> facts_;
  std::optional<TimePoint> asked_;
  runtime::OwnedTask asking_;
};

}  // namespace switchyard::inline v0::http
