// The part of a plan that concerns what is in one physical database. Internal to the room.
#pragma once

#include <switchyard/provision/plan.hpp>

namespace switchyard::inline v0::provision {

void plan_contents(const DesiredServer& desired, const DesiredDatabase& database, const ContentImage& content,
                   const ServerImage& image, Plan& plan);

}  // namespace switchyard::inline v0::provision
