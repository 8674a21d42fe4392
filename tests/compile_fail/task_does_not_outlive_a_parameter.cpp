// expect: address of stack memory associated with parameter 'text' returned
#include <switchyard/runtime/task.hpp>

#include <string>

using switchyard::Task;

Task<int> length(const std::string& text) { co_return static_cast<int>(text.size()); }

SWITCHYARD_COROUTINE_WRAPPER Task<int> use(std::string text) { return length(text); }
