// From what should be and what is to what has to be done. No sockets, no files: the same two values give the same
// plan, and a plan that has been carried out is followed by an empty one.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/secret.hpp>
#include <switchyard/provision/desired_server.hpp>
#include <switchyard/provision/server_image.hpp>
#include <switchyard/provision/step.hpp>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace switchyard::inline v0::provision {

struct Plan {
  std::vector<Step> steps;  ///< in the order in which they run
  /// What nobody can do by SQL, or not as this administrator: a sentence with the remedy each.
  std::vector<std::string> notes;
  /// What the administrator may not do and the steps need, each with the statement that lets him: apply() does
  /// nothing before it is empty.
  std::vector<std::string> missing;
  /// Lines that have to stand before all others of pg_hba.conf, so that roles are refused without TLS; empty when
  /// they are. A statement can't put them there: see write_hba().
  std::vector<std::string> hba_lines;

  [[nodiscard]] bool empty() const noexcept { return steps.empty(); }
  [[nodiscard]] std::size_t held_back() const noexcept;  ///< steps that need --confirm
};

struct PlanOptions {
  /// Passwords of roles that log in, by role; a role without one here is left as it is.
  std::map<std::string, Secret> passwords;
  std::string now;  ///< 2026-01-31T23:59:59Z; empty: no statement log has ended
  /// The verifier that a password is stored as, with salt and iterations of the server's own choice.
  std::function<std::string(const Secret& password)> verifier;
  /// Is the stored verifier one of this password?
  std::function<bool(const Secret& stored, const Secret& password)> fits;
};

/// Makes verifiers with random salts, and compares.
[[nodiscard]] SWITCHYARD_API PlanOptions plan_options();

[[nodiscard]] SWITCHYARD_API Plan make_plan(const DesiredServer& desired, const ServerImage& image,
                                            const PlanOptions& options);

}  // namespace switchyard::inline v0::provision
