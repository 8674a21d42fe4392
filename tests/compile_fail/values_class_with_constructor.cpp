// expect: only plain structs are mapped by member name
#include <switchyard/values/row_mapper.hpp>

class Order {
 public:
  Order();
  int id;
};

const auto& plan = switchyard::values::row_plan<Order>();
