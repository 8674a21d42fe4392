// ${...} in values of the fleet file and of options. Internal.
//
//   ${NAME}, ${env:NAME}                 an environment variable (or a line of .env)
//   ${file:/run/secrets/password}        the contents of a file, without the last line end
//   ${vault:secret/commerce/db-password} a secret of Vault
//   $${                                  a literal ${
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/config/load.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::config {

struct Interpolated {
  std::string text;
  std::vector<std::string> references;  ///< variables mentioned, in order
  std::vector<std::string> unset;       ///< of these, the ones without a value
  std::string only_file;                ///< the text is "${file:...}" and nothing else: the file's path
  bool interpolated = false;
};

struct InterpolationSources {
  std::function<std::optional<std::string>(std::string_view variable)> variable;
  std::function<Result<Secret>(const VaultReference&)> vault;  ///< may be empty
  std::string folder;  ///< what relative paths of ${file:...} start from; empty = the working folder
};

[[nodiscard]] Result<Interpolated> interpolate(std::string_view text, const InterpolationSources& sources);

}  // namespace switchyard::inline v0::config
