// ${name} in scripts, as Flyway replaces it: everywhere, in comments and quotes too; names in any case.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>

#include <map>
#include <string>
#include <string_view>

namespace switchyard::inline v0::scripts {

struct AnyCase {
  using is_transparent = void;
  [[nodiscard]] SWITCHYARD_API bool operator()(std::string_view a, std::string_view b) const noexcept;
};
using Placeholders = std::map<std::string, std::string, AnyCase>;

/// What stands around a name: Flyway's placeholderPrefix and placeholderSuffix. Neither is empty.
struct PlaceholderMarks {
  std::string prefix = "${", suffix = "}";
};

/// Values are not looked at again. Config error for a name without a value, with its line and the way to give one.
[[nodiscard]] SWITCHYARD_API Result<std::string> replace_placeholders(std::string_view text,
                                                                      const Placeholders& values,
                                                                      const PlaceholderMarks& marks = {});

}  // namespace switchyard::inline v0::scripts
