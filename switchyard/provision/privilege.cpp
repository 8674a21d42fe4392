#include <switchyard/provision/privilege.hpp>

#include <algorithm>

namespace switchyard::inline v0::provision {

Privilege Privilege::parse(std::string_view text) {
  Privilege out;
  const std::size_t space = text.find(' ');
  out.name = text.substr(0, space);
  if (space != std::string_view::npos) out.grantee = text.substr(space + 1);
  if (out.name.ends_with('*')) {
    out.name.pop_back();
    out.grantable = true;
  }
  return out;
}

bool has(const Privileges& all, std::string_view grantee, std::string_view name) {
  return std::ranges::any_of(all, [&](const Privilege& one) { return one.grantee == grantee && one.name == name; });
}

}  // namespace switchyard::inline v0::provision
