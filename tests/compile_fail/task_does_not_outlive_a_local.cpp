// expect: address of stack memory associated with local variable 'text' returned
#include <switchyard/runtime/task.hpp>

#include <string>

using switchyard::Task;

Task<int> length(const std::string& text) { co_return static_cast<int>(text.size()); }

SWITCHYARD_COROUTINE_WRAPPER Task<int> use() {
  const std::string text = "gone when this function returns";
  return length(text);
}
