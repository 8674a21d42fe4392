// expect: T must own its data (std::string instead of
#include <switchyard/values/row_mapper.hpp>

struct Order {
  int id;
  std::optional<std::string_view> code;
};

void keep() { switchyard::require_owning<Order>(); }
