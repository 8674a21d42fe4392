// expect: an enum needs its labels: specialise switchyard::EnumLabels
#include <switchyard/values/row_mapper.hpp>

enum class Mood { sad };
struct Order {
  Mood mood;
};

const auto& plan = switchyard::values::row_plan<Order>();
