// Catalogue queries that find what audit reports without knowing the plan: rule, object, text, fix. Internal.
#pragma once

#include <string_view>

namespace switchyard::inline v0::provision {

[[nodiscard]] std::string_view server_facts_query() noexcept;
[[nodiscard]] std::string_view content_facts_query() noexcept;

}  // namespace switchyard::inline v0::provision
