// The statements a lane has met, by text and parameter types.
#pragma once

#include <switchyard/pool/lane_shape.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace switchyard::inline v0::pool {

/// Further texts are leased until older ones have been forgotten.
inline constexpr std::size_t kMaxLaneShapes = 4096;
/// Longer texts are leased.
inline constexpr std::size_t kMaxLaneText = 64 << 10;

class SWITCHYARD_API LaneShapes {
 public:
  /// The one of exactly these bytes; a new one if there was none. Null when there is no room for it. Stays where it
  /// is until forget_older_than() takes it.
  [[nodiscard]] LaneShape* find_or_add(std::string_view sql, std::span<const Oid> types);
  /// Null when it was never met.
  [[nodiscard]] LaneShape* find(std::string_view sql, std::span<const Oid> types) noexcept;
  [[nodiscard]] LaneShape* by_id(std::uint32_t id) noexcept {
    return id < shapes_.size() ? shapes_[id].get() : nullptr;
  }
  /// Those not used since, unless a statement is under way; their numbers go to `forgotten`.
  void forget_older_than(TimePoint time, std::vector<std::uint32_t>& forgotten);
  [[nodiscard]] std::size_t size() const noexcept { return index_.size(); }

 private:
  struct Key {
    std::string_view sql;
    std::span<const Oid> types;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const noexcept;
  };
  struct Equal {
    bool operator()(const Key& a, const Key& b) const noexcept;
  };
  std::vector<std::unique_ptr<LaneShape>> shapes_;  // by id; null where one was forgotten
  std::vector<std::uint32_t> unused_;
  std::unordered_map<Key, LaneShape*, Hash, Equal> index_;
};

}  // namespace switchyard::inline v0::pool
