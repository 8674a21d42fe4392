// A string that can be a template argument: names that live in types.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace switchyard::inline v0 {

template <std::size_t N>
struct FixedString {
  char text[N]{};
  constexpr FixedString(const char (&literal)[N]) { std::copy_n(literal, N, text); }  // NOLINT: implicit
  [[nodiscard]] constexpr std::string_view view() const noexcept { return {text, N - 1}; }
};

}  // namespace switchyard::inline v0
