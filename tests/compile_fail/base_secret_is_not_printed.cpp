// expect: invalid operands to binary expression
#include <switchyard/base/secret.hpp>

#include <iostream>

void use(const switchyard::Secret& secret) { std::cout << secret; }
