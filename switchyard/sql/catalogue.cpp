#include <switchyard/sql/catalogue.hpp>

namespace switchyard::inline v0::sql {

const CatalogueType* CatalogueSnapshot::unfit_type(std::span<const std::uint32_t> used) const noexcept {
  if (unfit_types_.empty()) return nullptr;
  for (const std::uint32_t oid : used) {
    if (const auto found = unfit_types_.find(oid); found != unfit_types_.end()) return &found->second.type;
  }
  return nullptr;
}

std::string_view CatalogueSnapshot::type_name(std::uint32_t oid) const noexcept {
  const auto found = unfit_types_.find(oid);
  return found == unfit_types_.end() ? std::string_view() : std::string_view(found->second.name);
}

}  // namespace switchyard::inline v0::sql
