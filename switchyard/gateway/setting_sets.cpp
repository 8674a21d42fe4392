#include <switchyard/gateway/setting_sets.hpp>

#include <switchyard/gateway/sql_words.hpp>

#include <algorithm>
#include <map>

namespace switchyard::inline v0::gateway {
namespace {

/// Who acts decides what may be set: these come last, in this order, and are taken back first.
constexpr std::string_view kAuthorization = "session_authorization";
constexpr std::string_view kRole = "role";

int rank(std::string_view name) noexcept { return name == kRole ? 2 : name == kAuthorization ? 1 : 0; }

void append_set(std::string& text, std::string_view name, std::string_view value) {
  if (!text.empty()) text += "; ";
  text += "SELECT pg_catalog.set_config(";
  append_literal(text, name);
  text += ", ";
  append_literal(text, value);
  text += ", false)";
}

void append_reset(std::string& text, std::string_view name) {
  if (!text.empty()) text += "; ";
  text += "RESET ";
  for (std::size_t at = 0;;) {
    const std::size_t dot = name.find('.', at);
    append_identifier(text, name.substr(at, dot - at));
    if (dot == std::string_view::npos) return;
    text += '.';
    at = dot + 1;
  }
}

const std::string* find(const SettingsRef& settings, std::string_view name) noexcept {
  if (!settings) return nullptr;
  const auto found = std::ranges::lower_bound(*settings, name, {}, &Settings::value_type::first);
  return found != settings->end() && found->first == name ? &found->second : nullptr;
}

}  // namespace

SettingsRef SettingSets::intern(Settings settings) {
  if (settings.empty()) return nullptr;
  std::ranges::sort(settings);
  std::string key;
  for (const auto& [name, value] : settings) {
    key += name;
    key += '\0';
    key += value;
    key += '\0';
  }
  if (sets_.size() >= swept_at_) {
    std::erase_if(sets_, [](const auto& entry) { return entry.second.expired(); });
    swept_at_ = std::max<std::size_t>(64, sets_.size() * 2);
  }
  std::weak_ptr<const Settings>& known = sets_[key];
  if (SettingsRef alive = known.lock()) return alive;
  auto made = std::make_shared<const Settings>(std::move(settings));
  known = made;
  return made;
}

Settings with_changes(const SettingsRef& base,
                      std::span<const std::pair<std::string, std::optional<std::string>>> changes) {
  std::map<std::string, std::string> values;
  if (base) values.insert(base->begin(), base->end());
  for (const auto& [name, value] : changes) {
    if (value) {
      values[name] = *value;
    } else {
      values.erase(name);
    }
  }
  return {values.begin(), values.end()};
}

std::string change_text(const SettingsRef& from, const SettingsRef& to) {
  std::string text;
  if (from == to) return text;
  for (int order = 2; order >= 0 && from; --order) {
    for (const auto& [name, value] : *from) {
      const std::string* wanted = find(to, name);
      // A role is taken back before anything else is set, and set again at the end.
      if (rank(name) == order && (wanted == nullptr || order > 0)) append_reset(text, name);
    }
  }
  for (int order = 0; order <= 2 && to; ++order) {
    for (const auto& [name, value] : *to) {
      if (rank(name) != order) continue;
      const std::string* held = find(from, name);
      if (held == nullptr || *held != value || order > 0) append_set(text, name, value);
    }
  }
  return text;
}

std::string set_again_text(const SettingsRef& settings, std::span<const std::string> names, bool all) {
  std::string text;
  if (!settings) return text;
  for (const auto& [name, value] : *settings) {
    if (all || std::ranges::find(names, name) != names.end()) append_set(text, name, value);
  }
  return text;
}

std::string read_text(std::span<const std::string> names, std::span<const std::string> reported) {
  std::string text = "SELECT ";
  const auto add_value = [&](const std::string& name) {
    text += "pg_catalog.current_setting(";
    append_literal(text, name);
    text += ", true)";
  };
  for (const std::string& name : names) {
    add_value(name);
    text += ", ";
  }
  for (const std::string& name : reported) {
    text +=
        "CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_settings WHERE pg_catalog.lower(name) OPERATOR(pg_catalog.=) ";
    append_literal(text, name);
    text += " AND source OPERATOR(pg_catalog.=) 'session') THEN ";
    add_value(name);
    text += " END, ";
  }
  text.resize(text.size() - 2);
  return text;
}

}  // namespace switchyard::inline v0::gateway
