// expect: success
#include <switchyard/values/parameters.hpp>
#include <switchyard/values/row_mapper.hpp>

#include <span>
#include <string_view>

enum class Mood { sad };
template <>
struct switchyard::EnumLabels<Mood> {
  static constexpr std::pair<Mood, std::string_view> labels[] = {{Mood::sad, "sad"}};
};
struct Inner {
  int a;
};
struct Row {
  std::int64_t id;
  std::optional<Inner> inner;
  Mood mood;
};

const auto& plan = switchyard::values::row_plan<Row>();

bool encode(switchyard::Parameters& parameters) {
  switchyard::require_owning<Row>();
  return parameters.encode(1, "text", Mood::sad, nullptr, std::optional<bool>(), std::string_view("x")).ok();
}
