#include <switchyard/sql/allow_list.hpp>

#include <algorithm>

namespace switchyard::inline v0::sql {
namespace {

constexpr std::uint32_t kFnvBasis = 0x811c9dc5;
constexpr std::uint32_t kFnvPrime = 0x01000193;
constexpr std::string_view kUnitSeparator = "\x1f";

std::uint32_t add(std::uint32_t hash, std::string_view text) noexcept {
  for (const char byte : text) hash = (hash ^ static_cast<unsigned char>(byte)) * kFnvPrime;
  return hash;
}

}  // namespace

std::uint32_t function_fingerprint(std::string_view name, std::string_view argument_types,
                                   std::string_view language, std::string_view source) noexcept {
  std::uint32_t hash = add(kFnvBasis, name);
  for (const std::string_view part : {argument_types, language, source})
    hash = add(add(hash, kUnitSeparator), part);
  return hash;
}

const AllowedFunction* find_allowed(std::uint32_t oid, std::uint32_t fingerprint) noexcept {
  const auto table = allowed_functions();
  for (auto entry = std::ranges::lower_bound(table, oid, {}, &AllowedFunction::oid);
       entry != table.end() && entry->oid == oid; ++entry) {
    if (entry->fingerprint == fingerprint) return &*entry;
  }
  return nullptr;
}

}  // namespace switchyard::inline v0::sql
