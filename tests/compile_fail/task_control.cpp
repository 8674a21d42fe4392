// expect: success
#include <switchyard/runtime/task.hpp>

#include <string>

using switchyard::Task;

Task<int> length(const std::string& text) { co_return static_cast<int>(text.size()); }

SWITCHYARD_COROUTINE_WRAPPER Task<int> length_of(const std::string& text) { return length(text); }

Task<int> use() {
  const std::string kept = "kept by this frame";
  Task<int> task = length(kept);
  auto answer = []() -> Task<int> { co_return 42; };
  co_return co_await length("until the end of the expression") + co_await length_of(kept) + co_await answer() +
      co_await std::move(task);
}
