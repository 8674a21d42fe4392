// expect: an enum argument needs its labels: specialise switchyard::EnumLabels
#include <switchyard/values/parameters.hpp>

enum class Mood { sad };

bool encode(switchyard::Parameters& parameters) { return parameters.encode(Mood::sad).ok(); }
