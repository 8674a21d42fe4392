// expect: no Codec encodes an argument of this type
#include <switchyard/values/parameters.hpp>

#include <map>

bool encode(switchyard::Parameters& parameters) { return parameters.encode(std::map<int, int>()).ok(); }
