// expect: PostgreSQL has no unsigned integers (but oid): use std::int64_t or std::int32_t
#include <switchyard/values/row_mapper.hpp>

struct Order {
  unsigned long id;
};

const auto& plan = switchyard::values::row_plan<Order>();
