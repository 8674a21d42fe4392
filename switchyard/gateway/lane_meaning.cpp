#include <switchyard/gateway/lane_meaning.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

constexpr std::string_view kStatementTimeout = "statement_timeout";
/// They change no answer of a lane: the gateway keeps the time-out of a statement, and a statement that waits for a
/// lock leaves its lane.
constexpr std::array<std::string_view, 5> kNoMatter{"application_name", kStatementTimeout, "lock_timeout",
                                                    "idle_in_transaction_session_timeout", "idle_session_timeout"};
constexpr std::array<std::string_view, 2> kWhoActs{"role", "session_authorization"};

}  // namespace

LaneMeaningRef LaneMeanings::of(const SettingsRef& settings) {
  if (!settings) return nullptr;
  Settings meaning;
  bool leased = false;
  for (const auto& setting : *settings) {
    leased = leased || std::ranges::find(kWhoActs, setting.first) != kWhoActs.end();
    if (std::ranges::find(kNoMatter, setting.first) == kNoMatter.end()) meaning.push_back(setting);
  }
  if (meaning.empty()) return nullptr;
  std::string setup = change_text(nullptr, std::make_shared<const Settings>(std::move(meaning)));
  if (known_.size() >= swept_at_) {
    std::erase_if(known_, [](const auto& entry) { return entry.second.expired(); });
    swept_at_ = std::max<std::size_t>(64, known_.size() * 2);
  }
  std::weak_ptr<const LaneMeaning>& known = known_[setup];
  if (LaneMeaningRef alive = known.lock()) return alive;
  auto made = std::make_shared<const LaneMeaning>(LaneMeaning{std::move(setup), leased});
  known = made;
  return made;
}

Duration statement_timeout_of(const SettingsRef& settings) noexcept {
  if (!settings) return Duration::zero();
  const auto found = std::ranges::find(*settings, kStatementTimeout, &Settings::value_type::first);
  if (found == settings->end()) return Duration::zero();
  const std::string& text = found->second;
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(stop, static_cast<std::size_t>(text.data() + text.size() - stop));
  constexpr std::int64_t kMost = 0x7fff'ffff;  // milliseconds
  if (error == std::errc() && value >= 0 && value <= kMost) {
    if (unit.empty() || unit == "ms") return std::chrono::milliseconds(value);
    if (unit == "s") return std::chrono::seconds(value);
    if (unit == "min") return std::chrono::minutes(value);
    if (unit == "h") return std::chrono::hours(value);
    if (unit == "d") return std::chrono::hours(24 * value);
  }
  return Duration(1);
}

}  // namespace switchyard::inline v0::gateway
