#include <switchyard/scripts/script_header.hpp>

#include <algorithm>
#include <array>
#include <utility>

#include <switchyard/base/ascii.hpp>

namespace switchyard::inline v0::scripts {

namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\f\v");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\f\v") - first + 1);
}

void read_settings(std::string_view text, std::map<std::string, std::string>& settings) {
  while (!(text = trimmed(text)).empty()) {
    const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
    const std::string_view word = text.substr(0, end);
    const std::size_t equals = std::min(word.find('='), word.size());
    settings.emplace(word.substr(0, equals), equals < word.size() ? word.substr(equals + 1) : "true");
    text.remove_prefix(end);
  }
}

}  // namespace

ScriptHeader read_header(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  ScriptHeader header;
  const std::array<std::pair<std::string_view, std::string*>, 5> keys{
      {{"Target", &header.target},
       {"Table", &header.table},
       {"Purpose", &header.purpose},
       {"Data Source", &header.data_source},
       {"Update Frequency", &header.update_frequency}}};
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
    std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    if (!line.starts_with("--")) break;
    line = trimmed(line.substr(2));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view key = trimmed(line.substr(0, colon));
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (base::equal_ignoring_case(key, "switchyard")) read_settings(value, header.settings);
    for (const auto& [name, field] : keys) {
      if (base::equal_ignoring_case(key, name) && field->empty()) *field = value;
    }
  }
  return header;
}

}  // namespace switchyard::inline v0::scripts
