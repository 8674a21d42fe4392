// Small text files, bounded. Internal.
#pragma once

#include <switchyard/base/result.hpp>

#include <cstddef>
#include <string>

namespace switchyard::inline v0::config {

/// Configuration, secret and password files are far smaller.
inline constexpr std::size_t kLongestFile = 4 * 1024 * 1024;

/// The contents of a file; errors name the path and the reason.
[[nodiscard]] Result<std::string> read_text_file(const std::string& path);

}  // namespace switchyard::inline v0::config
