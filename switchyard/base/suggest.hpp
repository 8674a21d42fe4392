// "Did you mean ...?" for names typed by people: commands, flags, keys, databases.
#pragma once

#include <switchyard/base/export.hpp>

#include <span>
#include <string>
#include <string_view>

namespace switchyard::inline v0 {

/// The candidate closest to `name` by edit distance (swaps count one), or empty when none is near enough
/// (a third of the length, at least one). Comparison ignores case, and '-' equals '_'.
[[nodiscard]] SWITCHYARD_API std::string_view closest(std::string_view name,
                                                      std::span<const std::string_view> candidates);

/// "did you mean 'x'?" or empty.
[[nodiscard]] SWITCHYARD_API std::string did_you_mean(std::string_view name,
                                                      std::span<const std::string_view> candidates);

}  // namespace switchyard::inline v0
