// expect: can't have a const char* member: use std::string
#include <switchyard/values/row_mapper.hpp>

struct Order {
  int id;
  const char* code;
};

const auto& plan = switchyard::values::row_plan<Order>();
