#include <switchyard/fleet/database.hpp>

#include <algorithm>

namespace switchyard::inline v0::fleet {
namespace {
// Constant-initialised, so it is ready before any UsedName is constructed.
constinit const UsedName* first_used = nullptr;
}  // namespace

UsedName::UsedName(std::string_view name) noexcept : name_(name), next_(first_used) { first_used = this; }

std::vector<std::string_view> used_names() {
  std::vector<std::string_view> names;
  for (const UsedName* node = first_used; node != nullptr; node = node->next_) names.push_back(node->name_);
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  return names;
}

}  // namespace switchyard::inline v0::fleet
