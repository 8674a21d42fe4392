// expect: ignoring return value
#include <switchyard/runtime/task.hpp>

#include <string>

using switchyard::Task;

Task<int> length(const std::string& text) { co_return static_cast<int>(text.size()); }

Task<void> use(const std::string& text) {
  length(text);  // does nothing: a task is lazy
  co_return;
}
