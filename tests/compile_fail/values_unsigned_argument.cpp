// expect: PostgreSQL has no unsigned integers (but oid): convert the argument to std::int64_t
#include <switchyard/values/parameters.hpp>

#include <vector>

bool encode(switchyard::Parameters& parameters, const std::vector<int>& v) {
  return parameters.encode(v.size()).ok();
}
