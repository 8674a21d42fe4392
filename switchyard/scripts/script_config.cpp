#include <switchyard/scripts/script_config.hpp>

#include <switchyard/base/suggest.hpp>

#include <algorithm>
#include <array>

namespace switchyard::inline v0::scripts {

namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\f");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\f") - first + 1);
}

std::optional<bool> flag(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

constexpr std::array<std::string_view, 4> kKeys{"executeInTransaction", "placeholderReplacement", "encoding",
                                                "shouldExecute"};

}  // namespace

Result<ScriptConfig> parse_script_config(std::string_view text) {
  ScriptConfig config;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#' || line.front() == '!') continue;
    const auto wrong = [&](const std::string& what, std::string hint) {
      return Error(ErrorKind::Config, "line " + std::to_string(number) + ": " + what).with_hint(std::move(hint));
    };
    const std::size_t equals = line.find_first_of("=:");
    if (equals == std::string_view::npos) return wrong("no key=value", "executeInTransaction=false");
    std::string_view key = trimmed(line.substr(0, equals));
    if (key.starts_with("flyway.")) key.remove_prefix(7);
    const std::string_view value = trimmed(line.substr(equals + 1));
    if (key == "encoding") {
      config.encoding = value;
      continue;
    }
    if (std::ranges::find(kKeys, key) == kKeys.end()) {
      return wrong("the key '" + std::string(key.substr(0, 60)) + "' is not known", did_you_mean(key, kKeys));
    }
    const auto on = flag(value);
    if (!on) return wrong(std::string(key) + " is neither true nor false", {});
    if (key == "executeInTransaction") config.execute_in_transaction = on;
    if (key == "placeholderReplacement") config.placeholder_replacement = on;
    if (key == "shouldExecute") config.should_execute = *on;
  }
  return config;
}

}  // namespace switchyard::inline v0::scripts
