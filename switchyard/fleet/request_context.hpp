// What a request carries from one operation to the next: seen by choosers and by whoever finishes its operations.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/fleet/causal_token.hpp>
#include <switchyard/fleet/read_choice.hpp>
#include <switchyard/fleet/tracer.hpp>
#include <switchyard/fleet/write_unit.hpp>
#include <switchyard/session/operation_state.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0::fleet {

class RequestContext final : public session::OperationContext {
 public:
  RequestContext() = default;
  ~RequestContext() override {
    if (tracer) tracer->request_ended(*this);
  }

  std::string label;

  /// The trace it belongs to: given with the request, or begun by its first operation when traces are on.
  std::optional<RequestTrace> trace;
  std::shared_ptr<Tracer> tracer;  ///< set while the request is recorded
  /// An answer came from a database's fallback, or while writes of it were still kept there.
  bool partial = false;
  /// Writes that were kept for later instead of being applied.
  std::uint32_t kept = 0;

  /// Its transactions that are open, where writes to several databases at a time are looked for; else null.
  std::shared_ptr<WriteUnit> writes;

  /// How far its writes reach, by the database that holds them.
  CausalTokens tokens;

  /// Something was written there at `at` at the latest, for whoever does not ask each write how far it reaches: a
  /// look at the primary that began later tells.
  void wrote(std::string_view database, TimePoint at) {
    for (auto& [name, when] : unplaced_) {
      if (name != database) continue;
      when = std::max(when, at);
      return;
    }
    unplaced_.emplace_back(database, at);
  }
  /// Nothing: all its writes there have a token, as far as is known.
  [[nodiscard]] std::optional<TimePoint> unplaced(std::string_view database) const noexcept {
    for (const auto& [name, when] : unplaced_) {
      if (name == database) return when;
    }
    return std::nullopt;
  }
  void placed(std::string_view database) noexcept {
    std::erase_if(unplaced_, [&](const auto& entry) { return entry.first == database; });
  }

  /// Where it has read last in a database; null = nowhere yet.
  [[nodiscard]] const StickyRead* sticky(std::string_view database) const noexcept {
    for (const auto& [name, read] : reads_) {
      if (name == database) return &read;
    }
    return nullptr;
  }
  /// It reads at `place` at this moment, or had an answer from there.
  void note_read(std::string_view database, std::size_t place, TimePoint now) {
    for (auto& [name, read] : reads_) {
      if (name != database) continue;
      read = {.place = place, .used = now};
      return;
    }
    reads_.emplace_back(database, StickyRead{.place = place, .used = now});
  }

 private:
  std::vector<std::pair<std::string, StickyRead>> reads_;
  std::vector<std::pair<std::string, TimePoint>> unplaced_;
};

}  // namespace switchyard::inline v0::fleet
