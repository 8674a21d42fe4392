// expect: must be default constructible (no reference members)
#include <switchyard/values/row_mapper.hpp>

struct Order {
  int& id;
};

const auto& plan = switchyard::values::row_plan<Order>();
