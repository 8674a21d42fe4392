// Names and texts as SQL writes them. Internal to the room.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::provision {

/// Between double quotes where it is not a plain word.
[[nodiscard]] std::string name_sql(std::string_view name);
/// Between single quotes; right whatever standard_conforming_strings is.
[[nodiscard]] std::string text_sql(std::string_view text);
/// A role, or PUBLIC for none.
[[nodiscard]] std::string grantee_sql(std::string_view role);
[[nodiscard]] std::string join(const std::vector<std::string>& words, std::string_view separator = ", ");

}  // namespace switchyard::inline v0::provision
