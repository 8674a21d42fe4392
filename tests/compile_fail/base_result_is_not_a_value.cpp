// expect: no viable conversion from returned value of type 'switchyard::Result<int>' to function return type 'int'
#include <switchyard/base/result.hpp>

switchyard::Result<int> answer();

int use() { return answer(); }
