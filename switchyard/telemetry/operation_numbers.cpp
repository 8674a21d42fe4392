#include <switchyard/telemetry/operation_numbers.hpp>

#include <algorithm>
#include <bit>
#include <exception>
#include <functional>

namespace switchyard::inline v0::telemetry {

namespace {
constexpr std::size_t kFirstSlots = 16;
}

struct OperationNumbers::Named {
  Named(std::string_view its_name, std::size_t its_hash) : name(its_name), hash(its_hash) {}
  std::string name;
  std::size_t hash;
  Counter errors;
  Histogram execution;
};

OperationNumbers::OperationNumbers(Options options)
    : target_(options.latency_target), max_names_(options.max_names) {}
OperationNumbers::~OperationNumbers() = default;

void OperationNumbers::record_named(const OperationSample& sample) noexcept {
  try {
    Named& named = find_or_add(sample.name);
    if (sample.ran) named.execution.record(sample.execution);
    if (sample.error) named.errors.add();
  } catch (const std::exception&) {
    // Memory ran out: it counts in the totals only.
  }
}

OperationNumbers::Named& OperationNumbers::find_or_add(std::string_view name) {
  const std::size_t hash = std::hash<std::string_view>()(name);
  std::size_t slot = 0;
  if (!named_.empty()) {
    const std::size_t mask = named_.size() - 1;
    for (slot = hash & mask; named_[slot]; slot = (slot + 1) & mask) {
      if (named_[slot]->hash == hash && named_[slot]->name == name) return *named_[slot];
    }
  }
  if (names_ >= max_names_ || name == kOtherStatements) {
    if (!other_) other_ = std::make_unique<Named>(kOtherStatements, 0);
    return *other_;
  }
  auto made = std::make_unique<Named>(name, hash);
  if ((names_ + 1) * 2 > named_.size()) {
    std::vector<std::unique_ptr<Named>> wider(std::max(kFirstSlots, named_.size() * 2));
    for (auto& old : named_) {
      if (!old) continue;
      std::size_t to = old->hash & (wider.size() - 1);
      while (wider[to]) to = (to + 1) & (wider.size() - 1);
      wider[to] = std::move(old);
    }
    named_ = std::move(wider);
    slot = hash & (named_.size() - 1);
    while (named_[slot]) slot = (slot + 1) & (named_.size() - 1);
  }
  ++names_;
  named_[slot] = std::move(made);
  return *named_[slot];
}

OperationTotals OperationNumbers::read() const {
  OperationTotals out;
  out.count = count_.value();
  for (std::size_t i = 0; i < kErrorKinds; ++i) out.errors[i] = errors_[i].value();
  out.slow = slow_.value();
  out.slow_acquires = slow_acquires_.value();
  out.retries = retries_.value();
  out.within_target = within_target_.value();
  acquire_.read_into(out.acquire);
  execution_.read_into(out.execution);
  const auto add = [&](const Named& named) {
    StatementNumbers& numbers = out.statements.emplace_back();
    numbers.name = named.name;
    numbers.errors = named.errors.value();
    named.execution.read_into(numbers.execution);
  };
  for (const auto& named : named_) {
    if (named) add(*named);
  }
  if (other_) add(*other_);
  std::ranges::sort(out.statements, {}, &StatementNumbers::name);
  return out;
}

}  // namespace switchyard::inline v0::telemetry
