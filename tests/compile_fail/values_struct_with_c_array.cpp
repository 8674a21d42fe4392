// expect: a struct with a C array can't be mapped by member name: use std::vector, std::string or Bytes
#include <switchyard/values/row_mapper.hpp>

struct Order {
  int id;
  char code[8];
};

const auto& plan = switchyard::values::row_plan<Order>();
