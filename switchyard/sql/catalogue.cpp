#include <switchyard/sql/catalogue.hpp>

namespace switchyard::inline v0::sql {

const std::vector<std::uint32_t>* CatalogueSnapshot::types_of(std::uint32_t type) const noexcept {
  const auto found = own_types_.find(type);
  return found == own_types_.end() ? nullptr : &found->second;
}

std::string CatalogueSnapshot::unfit_type(std::span<const std::uint32_t> types) const {
  for (const std::uint32_t oid : types) {
    const auto found = unfit_types_.find(oid);
    if (found != unfit_types_.end()) return found->second.name + ", " + found->second.refusal;
  }
  return {};
}

}  // namespace switchyard::inline v0::sql
