// A file in PgBouncer's ini format, taken apart into lines that know where they stand.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::gateway {

struct IniLine {
  std::string section;
  std::string key;
  std::string value;
  std::string place;  ///< "pgbouncer.ini:12"
};

/// The text of a file; errors of kind Config.
using ReadTextFile = std::function<Result<std::string>(const std::string& path)>;

/// `;` and `#` begin a comment at the start of a line; `%include FILE` stands for that file's lines, up to ten
/// deep. Sections that say nothing are not in the result. Errors are of kind Config, with the place.
[[nodiscard]] SWITCHYARD_API Result<std::vector<IniLine>> parse_ini(std::string_view text, std::string_view name,
                                                                    const ReadTextFile& read);

/// `key=value key='va''lue'` of a [databases] or [users] entry.
[[nodiscard]] SWITCHYARD_API Result<std::vector<std::pair<std::string, std::string>>> parse_ini_parameters(
    const IniLine& line);

}  // namespace switchyard::inline v0::gateway
