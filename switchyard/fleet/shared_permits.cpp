#include <switchyard/fleet/budget_permits.hpp>
#include <switchyard/fleet/shared_permits.hpp>

#include <algorithm>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

std::string address_of(const ConnectionOptions& connection) {
  std::string out;
  for (const HostSpec& host : connection.hosts) out += (out.empty() ? "" : ",") + host.display();
  return out;
}

/// The name under which sessions of the endpoint are seen.
const std::string& application_name_of(const ConnectionOptions& connection) {
  return connection.application_name.empty() ? connection.fallback_application_name : connection.application_name;
}

}  // namespace

SharedPermits::SharedPermits() : open_registry_(true) {}
SharedPermits::SharedPermits(std::shared_ptr<BudgetRegistry> registry)
    : open_registry_(false), registry_(std::move(registry)) {}
SharedPermits::~SharedPermits() = default;

void SharedPermits::set_fleet(const FleetConfig& fleet) {
  const std::lock_guard lock(mutex_);
  if (fleet_known_) return;
  fleet_known_ = true;
  if (!*fleet.share_budget) {
    open_registry_ = false;
    registry_.reset();
    return;
  }
  // What differs between two fleets that happen to have one name: where their primaries are, and the limit.
  fleet_ = *fleet.application + " " + std::to_string(*fleet.connection_budget);
  if (*fleet.connection_budget > 0) fleet_limit_ = static_cast<std::int32_t>(*fleet.connection_budget);
  const auto add_name = [&](const EndpointConfig& endpoint) {
    if (!endpoint.configured()) return;
    application_names_.push_back(application_name_of(endpoint.connection));
    application_names_.push_back(application_name_of(endpoint.connection) + "-probe");  // prober.hpp
  };
  for (const DatabaseConfig& database : fleet.databases) {
    if (database.configured()) fleet_ += " " + database.primary.connection.location();
    add_name(database.primary);
    add_name(database.write);
    for (const ReplicaConfig& replica : database.replicas) add_name(replica.endpoint);
  }
  std::ranges::sort(application_names_);
  const auto doubles = std::ranges::unique(application_names_);
  application_names_.erase(doubles.begin(), doubles.end());
}

std::shared_ptr<pool::PermitCounter> SharedPermits::get(std::string_view name, std::uint32_t max,
                                                        const EndpointConfig& endpoint, bool primary) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<pool::PermitCounter>& counter = counters_[std::string(name)];
  if (counter) return counter;
  counter = std::make_shared<pool::PermitCounter>(max);
  if (open_registry_ && !registry_) registry_ = BudgetRegistry::of_machine();
  if (registry_) {
    BudgetTerms terms{.address = address_of(endpoint.connection),
                      .role = endpoint.connection.user,
                      .database = endpoint.connection.dbname,
                      .fleet = fleet_,
                      .fleet_limit = primary ? fleet_limit_ : -1,
                      .application_names = application_names_};
    counter->set_source(std::make_unique<BudgetPermits>(registry_, std::move(terms), *counter));
  }
  return counter;
}

}  // namespace switchyard::inline v0::fleet
