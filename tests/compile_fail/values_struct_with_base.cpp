// expect: a struct with base classes can't be mapped by member name: write the members into one struct
#include <switchyard/values/row_mapper.hpp>

struct Base {
  int id;
};
struct Order : Base {
  int total;
};

const auto& plan = switchyard::values::row_plan<Order>();
