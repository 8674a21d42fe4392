// What a client's settings mean for shared lanes: which lane has sessions like it. Clients with the same settings
// share one object, so that they can be counted. Internal to the room.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/gateway/setting_sets.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace switchyard::inline v0::gateway {

struct LaneMeaning {
  /// As WireRequest::settings.
  std::string setup;
  /// A role or an authorization of its own: such a client has sessions to itself.
  bool leased = false;
};
/// Null: the settings of a session as it logs in.
using LaneMeaningRef = std::shared_ptr<const LaneMeaning>;

class LaneMeanings {
 public:
  [[nodiscard]] LaneMeaningRef of(const SettingsRef& settings);

 private:
  std::map<std::string, std::weak_ptr<const LaneMeaning>, std::less<>> known_;
  std::size_t swept_at_ = 64;
};

/// statement_timeout among the settings, as the server writes it ("5s", "100ms", "0"); zero: none. A value that is
/// not understood is a nanosecond: whoever has it is better on a session, where the server reads it.
[[nodiscard]] Duration statement_timeout_of(const SettingsRef& settings) noexcept;

}  // namespace switchyard::inline v0::gateway
