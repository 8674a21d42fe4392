// The version of the library.
#pragma once

#include <string_view>

namespace switchyard::inline v0 {
inline constexpr std::string_view kVersion = "0.1.0";
}
