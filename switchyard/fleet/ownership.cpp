#include <switchyard/fleet/ownership.hpp>

#include <algorithm>
#include <cctype>

namespace switchyard::inline v0::fleet {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

/// "ANALYTICS_DATABASE_URL"
std::string variable_of(std::string name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return name + "_DATABASE_URL";
}

}  // namespace

OwnershipDecision decide_ownership(const OwnershipFacts& facts) {
  OwnershipDecision out;
  const bool moved = facts.recorded_owner == facts.database;
  if (!facts.configured) {
    if (!moved) {
      out.verdict = OwnershipVerdict::stand_in;
      return out;
    }
    out.verdict = OwnershipVerdict::refuse;
    out.note = "the data of '" + facts.database + "' is at " + facts.recorded_location +
               ", which is not configured any more: '" + facts.stand_in + "' does not have it";
    out.hint = "set " + variable_of(facts.database) +
               " again, or bring the data back first: switchyard move TABLES --from " + facts.database + " --to " +
               facts.stand_in;
    return out;
  }
  if (!moved && !facts.tables_left.empty()) {
    out.verdict = OwnershipVerdict::stand_in;
    out.record_owner = facts.recorded_owner == facts.stand_in ? "" : facts.stand_in;
    out.note = "'" + facts.stand_in + "' still holds tables of '" + facts.database +
               "' and serves them: " + joined(facts.tables_left);
    std::string tables;
    for (const std::string& name : facts.tables_left) tables += " " + name;
    out.hint = "switchyard move" + tables + " --from " + facts.stand_in + " --to " + facts.database;
    return out;
  }
  out.verdict = OwnershipVerdict::own;
  if (!moved || facts.recorded_location != facts.location) out.record_owner = facts.database;
  return out;
}

}  // namespace switchyard::inline v0::fleet
