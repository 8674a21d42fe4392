// expect: no Codec reads a column into this type
#include <switchyard/values/row_mapper.hpp>

#include <map>

struct Order {
  std::map<int, int> lines;
};

const auto& plan = switchyard::values::row_plan<Order>();
