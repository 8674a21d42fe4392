// expect: temporary whose address is used as value of local variable 'task' will be destroyed
#include <switchyard/runtime/task.hpp>

#include <string>

using switchyard::Task;

Task<int> length(const std::string& text) { co_return static_cast<int>(text.size()); }

Task<int> use() {
  const int number = 42;
  Task<int> task = [&]() -> Task<int> { co_return number; }();  // the lambda holds the reference, and it is gone
  co_return co_await std::move(task);
}
