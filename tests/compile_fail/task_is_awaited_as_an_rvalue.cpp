// expect: no member named 'await_ready' in 'switchyard::Task<int>'
#include <switchyard/runtime/task.hpp>

#include <string>

using switchyard::Task;

Task<int> length(const std::string& text) { co_return static_cast<int>(text.size()); }

Task<int> use(const std::string& text) {
  Task<int> task = length(text);
  co_return co_await task;
}
