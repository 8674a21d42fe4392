// expect: ignoring return value of function declared with 'nodiscard' attribute
#include <switchyard/base/result.hpp>

switchyard::Result<int> answer();

void use() { answer(); }
