// Settings that differ from those a session logs in with, as values: what a client wants to hold, and what holds on
// a session. Equal sets are one object, so that they are compared by address. Internal to the room.
#pragma once

#include <switchyard/gateway/startup_settings.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace switchyard::inline v0::gateway {

/// Sorted by name, names folded. Null stands for none.
using SettingsRef = std::shared_ptr<const Settings>;

class SettingSets {
 public:
  [[nodiscard]] SettingsRef intern(Settings settings);

 private:
  std::unordered_map<std::string, std::weak_ptr<const Settings>> sets_;
  std::size_t swept_at_ = 64;  ///< the size at which sets that nobody has any more are looked for
};

/// `base` with some changed: no value takes the setting away.
[[nodiscard]] Settings with_changes(const SettingsRef& base,
                                    std::span<const std::pair<std::string, std::optional<std::string>>> changes);

/// The text that makes a session which holds `from` hold `to`. Empty: nothing is to be done. Safe under any
/// standard_conforming_strings and search_path.
[[nodiscard]] std::string change_text(const SettingsRef& from, const SettingsRef& to);

/// Sets some of `settings` again: those named, or all.
[[nodiscard]] std::string set_again_text(const SettingsRef& settings, std::span<const std::string> names, bool all);

/// Asks for the values of settings: one row, null for those that do not exist. Behind them those of `reported`,
/// null for those that were not set on the session.
[[nodiscard]] std::string read_text(std::span<const std::string> names, std::span<const std::string> reported);

}  // namespace switchyard::inline v0::gateway
