#include <switchyard/sql/safe_names.hpp>

namespace switchyard::inline v0::sql {
namespace {

constexpr std::string_view kExtension = "extension:";

}  // namespace

Result<SafeNames> parse_safe_names(std::span<const std::string> entries) {
  SafeNames out;
  for (const std::string& entry : entries) {
    if (entry.starts_with(kExtension)) {
      if (entry.size() == kExtension.size()) {
        return Error(ErrorKind::Config, "lane_safe: \"" + entry + "\" names no extension");
      }
      out.extensions.push_back(entry.substr(kExtension.size()));
      continue;
    }
    const std::size_t dot = entry.find('.');
    if (dot == std::string::npos || dot == 0 || dot + 1 == entry.size() || entry.find('(') != std::string::npos) {
      return Error(ErrorKind::Config, "lane_safe: \"" + entry +
                                          "\" should be \"schema.function\", \"schema.relation\" or "
                                          "\"extension:name\"");
    }
    out.objects.push_back(entry);
  }
  return out;
}

}  // namespace switchyard::inline v0::sql
