// The choice between a database and the one that stands in for it, made once the ownership map of the stand-in has
// been read: with the first operation, which waits for it.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/fleet/chooser.hpp>
#include <switchyard/fleet/ownership.hpp>
#include <switchyard/fleet/route.hpp>
#include <switchyard/runtime/task.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::fleet {

/// One database's part of the ownership map; shared by the choosers of its routes.
class Ownership final : public std::enable_shared_from_this<Ownership> {
 public:
  /// `facts` holds what the configuration knows, `tables` are those to be looked for (without any: those of
  /// `schema`), `home` is a route to the stand-in.
  Ownership(OwnershipFacts facts, std::vector<std::string> tables, std::string schema, std::shared_ptr<Route> home);
  Ownership(const Ownership&) = delete;
  Ownership& operator=(const Ownership&) = delete;

  /// Called when the answer is there; to poke routes.
  void set_listener(std::function<void()> listener) { listener_ = std::move(listener); }
  /// Nothing while the map is being read; starts that if need be.
  [[nodiscard]] const OwnershipDecision* decision(TimePoint now) noexcept;
  /// As decided; null before.
  [[nodiscard]] const OwnershipDecision* known() const noexcept { return decision_ ? &*decision_ : nullptr; }
  [[nodiscard]] const OwnershipFacts& facts() const noexcept { return facts_; }
  /// What was decided is out of date: the map is read again before anybody goes anywhere.
  void forget() noexcept { decision_.reset(); }
  void retire() noexcept {
    retired_ = true;
    listener_ = nullptr;
  }

 private:
  static Task<void> read(std::shared_ptr<Ownership> self);
  Task<void> gather();
  Task<void> record(std::string owner);

  OwnershipFacts facts_;
  std::vector<std::string> tables_;
  std::string schema_;
  std::shared_ptr<Route> home_;
  std::function<void()> listener_;
  std::optional<OwnershipDecision> decision_;
  TimePoint valid_until_ = kNever;  ///< of a decision made without the map
  bool reading_ = false;
  bool retired_ = false;
};

class OwnershipChooser final : public Chooser {
 public:
  /// `own` is null for a database that is not configured; both choosers outlive this one.
  OwnershipChooser(std::shared_ptr<Ownership> ownership, Chooser* own, Chooser& stand_in, std::string reason)
      : ownership_(std::move(ownership)), own_(own), stand_in_(stand_in), reason_(std::move(reason)) {}
  [[nodiscard]] Choice choose(const ChoiceInput& input) noexcept override;
  void ended(const ChoiceEnd& end) noexcept override;
  [[nodiscard]] bool relocated() noexcept override {
    ownership_->forget();
    return true;
  }
  void relayed(const RelayEnd& end) noexcept override;
  void relay_lost() noexcept override;

 private:
  std::shared_ptr<Ownership> ownership_;
  Chooser* own_;
  Chooser& stand_in_;
  std::string reason_;
};

}  // namespace switchyard::inline v0::fleet
