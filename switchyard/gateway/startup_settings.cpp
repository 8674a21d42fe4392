#include <switchyard/gateway/startup_settings.hpp>

#include <algorithm>

#include <switchyard/base/ascii.hpp>

namespace switchyard::inline v0::gateway {
namespace {

/// As the server splits them (pg_split_opts).
std::vector<std::string> split_options(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool begun = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (base::is_space(text[i])) {
      if (begun) words.push_back(std::move(word));
      word.clear();
      begun = false;
      continue;
    }
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    word += text[i];
    begun = true;
  }
  if (begun) words.push_back(std::move(word));
  return words;
}

void set(Settings& settings, std::string name, std::string value) {
  std::erase_if(settings, [&](const auto& setting) { return base::equal_ignoring_case(setting.first, name); });
  settings.emplace_back(std::move(name), std::move(value));
}

Error invalid(std::string_view word) {
  return Error(ErrorKind::Config, "invalid command-line argument for server process: " + std::string(word))
      .with_hint("settings are given as -c name=value or --name=value");
}

Result<void> read_options(std::string_view text, Settings& settings) {
  const std::vector<std::string> words = split_options(text);
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string_view word = words[i];
    if (word.starts_with("--")) {
      word.remove_prefix(2);
    } else if (word == "-c" && i + 1 < words.size()) {
      word = words[++i];
    } else if (word.starts_with("-c") && word.size() > 2) {
      word.remove_prefix(2);
    } else {
      return invalid(words[i]);
    }
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos || equals == 0) return invalid(words[i]);
    std::string name(word.substr(0, equals));
    std::ranges::replace(name, '-', '_');
    set(settings, std::move(name), std::string(word.substr(equals + 1)));
  }
  return {};
}

}  // namespace

Result<Settings> read_settings(std::span<const std::pair<std::string, std::string>> startup) {
  Settings settings;
  // As the server: options first, so that what has a name of its own wins.
  for (const auto& [name, value] : startup) {
    if (name == "options") SY_TRY(read_options(value, settings));
  }
  for (const auto& [name, value] : startup) {
    if (name != "options") set(settings, name, value);
  }
  return settings;
}

std::string_view find_setting(const Settings& settings, std::string_view name) noexcept {
  const auto found = std::ranges::find_if(
      settings, [&](const auto& setting) { return base::equal_ignoring_case(setting.first, name); });
  return found == settings.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace switchyard::inline v0::gateway
