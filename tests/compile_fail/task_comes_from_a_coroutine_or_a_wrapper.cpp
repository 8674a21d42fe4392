// expect: neither a coroutine nor a coroutine wrapper
#include <switchyard/runtime/task.hpp>

#include <string>

using switchyard::Task;

Task<int> length(const std::string& text) { co_return static_cast<int>(text.size()); }

Task<int> use(const std::string& text) { return length(text); }
