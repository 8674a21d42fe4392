// expect: temporary whose address is used as value of local variable 'task' will be destroyed
#include <switchyard/runtime/task.hpp>

#include <string>

using switchyard::Task;

Task<int> length(const std::string& text) { co_return static_cast<int>(text.size()); }

Task<int> use() {
  Task<int> task = length("a temporary that is gone when the task runs");
  co_return co_await std::move(task);
}
