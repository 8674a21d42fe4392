// Who provisions without being a superuser: what that role lacks for the steps of a plan.
//
// CREATEROLE and CREATEDB are enough for what it makes itself. What somebody else has made has to be given to it: a
// database to own, and since PostgreSQL 16 each role WITH ADMIN OPTION.
#pragma once

#include <switchyard/provision/desired_server.hpp>
#include <switchyard/provision/server_image.hpp>
#include <switchyard/provision/step.hpp>

#include <string>
#include <vector>

namespace switchyard::inline v0::provision {

/// "may not change commerce_user: GRANT commerce_user TO dba WITH ADMIN OPTION"; empty: nothing. Steps that wait
/// for a confirmation are left out.
[[nodiscard]] std::vector<std::string> missing_rights(const DesiredServer& desired, const ServerImage& image,
                                                      const std::vector<Step>& steps);

}  // namespace switchyard::inline v0::provision
