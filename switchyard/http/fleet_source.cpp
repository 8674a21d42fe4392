#include <switchyard/http/fleet_source.hpp>

namespace switchyard::inline v0::http {

FleetSource::~FleetSource() = default;

}  // namespace switchyard::inline v0::http
