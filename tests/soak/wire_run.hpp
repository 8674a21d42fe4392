// The clients of an epoch over the wire: a gateway on a thread of its own, each client on one of its own.
#pragma once

#include "caller.hpp"
#include "site.hpp"
#include "soak_run.hpp"

#include <functional>

namespace soak {

/// Blocks until Common::stop and until every client has ended. Throws what the gateway's thread threw.
void run_wire(Common& common, const Site& site, const SoakOptions& options, std::uint64_t seed);

}  // namespace soak
