// The help texts.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace switchyard::cli {

/// Of a command ("query", " config explain"); "" is the overview. Nothing for an unknown one.
[[nodiscard]] std::optional<std::string> help_text(std::string_view command);

}  // namespace switchyard::cli
