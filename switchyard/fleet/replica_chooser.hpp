// The choosers of a database with places to choose from: writes follow the primary, reads go where read_choice.hpp
// says. Both keep the causal tokens of a request: writes raise them, reads obey them.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/fleet/chooser.hpp>
#include <switchyard/fleet/places.hpp>
#include <switchyard/fleet/read_choice.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace switchyard::inline v0::fleet {

/// A read, or a write, that came before anybody has looked waits this long for a look at most.
inline constexpr Duration kFirstLook = std::chrono::milliseconds(500);
/// A first write waits this long for a look at all who may be the primary: one that has been replaced still takes
/// writes, and they are lost.
inline constexpr Duration kFirstWriteLook = std::chrono::milliseconds(100);

/// Which of the primary's endpoints.
enum class PrimaryUse : std::uint8_t { autocommit, writes, reads };

class PrimaryChooser final : public Chooser {
 public:
  /// `places` has a primary and outlives the chooser.
  PrimaryChooser(Places& places, PrimaryUse use, std::string reason);
  [[nodiscard]] Choice choose(const ChoiceInput& input) noexcept override;
  void ended(const ChoiceEnd& end) noexcept override;

 private:
  Places& places_;
  PrimaryUse use_;
  [[nodiscard]] Endpoint& endpoint() const noexcept;

  std::string reason_;
  std::string waits_for_look_;
  std::string waits_for_primary_;
  std::map<std::size_t, std::string> elsewhere_;  ///< the reason by the place that took over
};

/// What a read view asks for, beside what its request adds.
struct ReadLimits {
  std::optional<Duration> max_lag;  ///< the caller's own; nothing = the database's
  std::string replica;              ///< name or purpose; empty = any
};

class ReplicaChooser final : public Chooser {
 public:
  /// `places` outlives the chooser.
  ReplicaChooser(Places& places, ReadLimits limits);
  [[nodiscard]] Choice choose(const ChoiceInput& input) noexcept override;
  void ended(const ChoiceEnd& end) noexcept override;
  void relayed(const RelayEnd& end) noexcept override;
  void relay_lost() noexcept override;

  /// What the read asks for of `context` (null = none) at `now`, with `may_wait` as its patience.
  [[nodiscard]] ReadWish wish(const RequestContext* context, TimePoint now, Duration may_wait) const noexcept;

 private:
  [[nodiscard]] std::string_view reason(const ReadChoice& choice);
  /// Writes without a token get one, if a look at the primary tells. False: it does not yet.
  [[nodiscard]] bool place_writes(RequestContext& context) noexcept;

  Places& places_;
  ReadLimits limits_;
  std::uint32_t turn_ = 0;
  std::map<std::uint32_t, std::string> reasons_;  ///< bounded by places, whys and obstacles
};

/// "replica 'api'", "primary: every replica lags by more than max_lag": what a choice is called.
[[nodiscard]] std::string describe(const ReadChoice& choice, const TopologySnapshot& snapshot,
                                   std::string_view wanted);

}  // namespace switchyard::inline v0::fleet
