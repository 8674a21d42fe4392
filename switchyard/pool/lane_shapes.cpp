#include <switchyard/pool/lane_shapes.hpp>

#include <algorithm>
#include <functional>

namespace switchyard::inline v0::pool {

std::size_t LaneShapes::Hash::operator()(const Key& key) const noexcept {
  std::size_t hash = std::hash<std::string_view>{}(key.sql);
  for (const Oid type : key.types) hash = hash * 0x9e37'79b9'7f4a'7c15ULL + type;
  return hash;
}

bool LaneShapes::Equal::operator()(const Key& a, const Key& b) const noexcept {
  return a.sql == b.sql && std::ranges::equal(a.types, b.types);
}

LaneShape* LaneShapes::find(std::string_view sql, std::span<const Oid> types) noexcept {
  const auto found = index_.find(Key{sql, types});
  return found == index_.end() ? nullptr : found->second;
}

LaneShape* LaneShapes::find_or_add(std::string_view sql, std::span<const Oid> types) {
  if (LaneShape* known = find(sql, types)) return known;
  if (index_.size() >= kMaxLaneShapes || sql.size() > kMaxLaneText) return nullptr;
  std::uint32_t id = static_cast<std::uint32_t>(shapes_.size());
  if (unused_.empty()) {
    shapes_.emplace_back();
    unused_.reserve(shapes_.capacity());
  } else {
    id = unused_.back();
    unused_.pop_back();
  }
  shapes_[id] = std::make_unique<LaneShape>(id, sql, types);
  LaneShape& shape = *shapes_[id];
  index_.emplace(Key{shape.sql(), shape.types()}, &shape);
  return &shape;
}

void LaneShapes::forget_older_than(TimePoint time, std::vector<std::uint32_t>& forgotten) {
  for (auto& shape : shapes_) {
    if (!shape || shape->used >= time || shape->calls > 0) continue;
    forgotten.push_back(shape->id());
    index_.erase(Key{shape->sql(), shape->types()});
    unused_.push_back(shape->id());
    shape.reset();
  }
}

}  // namespace switchyard::inline v0::pool
