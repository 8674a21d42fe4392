#include <switchyard/runtime/ambient.hpp>

#include <exception>
#include <unordered_map>
#include <utility>

namespace switchyard::inline v0::runtime {
namespace {

struct State {
  std::shared_ptr<void> current;
  std::unordered_map<const ReadyNode*, std::shared_ptr<void>> waiting;
};

constinit thread_local bool t_used = false;

State& state() noexcept {
  thread_local State t_state;
  return t_state;
}

}  // namespace

bool Ambient::used() noexcept { return t_used; }

std::shared_ptr<void> Ambient::current() noexcept { return t_used ? state().current : nullptr; }

void Ambient::set(std::shared_ptr<void> value) noexcept {
  if (value == nullptr && !t_used) return;
  t_used = true;
  state().current = std::move(value);
}

void Ambient::remember(const ReadyNode& node) noexcept {
  if (!t_used) return;
  State& mine = state();
  if (mine.current == nullptr) {
    mine.waiting.erase(&node);
    return;
  }
  try {
    mine.waiting[&node] = mine.current;
  } catch (const std::exception&) {
    mine.waiting.erase(&node);
  }
}

void Ambient::forget(const ReadyNode& node) noexcept {
  if (t_used) state().waiting.erase(&node);
}

void Ambient::enter(const ReadyNode& node) noexcept {
  State& mine = state();
  const auto found = mine.waiting.find(&node);
  if (found == mine.waiting.end()) {
    mine.current = nullptr;
    return;
  }
  mine.current = std::move(found->second);
  mine.waiting.erase(found);
}

void Ambient::leave() noexcept { state().current = nullptr; }

}  // namespace switchyard::inline v0::runtime
