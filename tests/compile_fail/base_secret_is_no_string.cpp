// expect: no viable conversion from returned value of type 'const switchyard::Secret'
#include <switchyard/base/secret.hpp>

std::string_view use(const switchyard::Secret& secret) { return secret; }
