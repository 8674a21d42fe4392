#include <switchyard/sql/facts_cache.hpp>

#include <switchyard/sql/analyse.hpp>

#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace switchyard::inline v0::sql {

namespace {

using Facts = std::shared_ptr<const StatementFacts>;

std::size_t bytes_of(const std::string& text) { return sizeof(std::string) + text.capacity(); }
std::size_t bytes_of(const Name& name) { return bytes_of(name.schema) + bytes_of(name.name); }
std::size_t bytes_of(Effect) { return sizeof(Effect); }

template <class T>
std::size_t bytes_of(const std::vector<T>& list) {
  std::size_t sum = 0;
  for (const T& element : list) sum += bytes_of(element);
  return sum;
}

std::size_t bytes_of(const StatementFacts& facts) {
  return sizeof(facts) + facts.why_unknown.capacity() + facts.fingerprint.capacity() + bytes_of(facts.relations) +
         bytes_of(facts.functions) + bytes_of(facts.operators) + bytes_of(facts.types) + bytes_of(facts.fields) +
         bytes_of(facts.value_functions) + bytes_of(facts.effects) + bytes_of(facts.constructs);
}

/// Of the containers, for each entry.
constexpr std::size_t kEntryOverhead = 160;

const Facts& too_long() {
  static const Facts facts =
      std::make_shared<const StatementFacts>(analyse(std::string(kMaxAnalysedText + 1, ' ')));
  return facts;
}

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
};

}  // namespace

struct FactsCache::State {
  struct Entry {
    std::string text;
    Facts facts;
    std::size_t bytes;
  };

  explicit State(Limits given) : limits(given) {}

  const Limits limits;
  std::mutex mutex;
  std::list<Entry> entries;  ///< the last one asked for first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> index;
  std::unordered_set<std::string, TextHash, std::equal_to<>> waiting;
  std::size_t bytes = 0;

  // All with the mutex held.
  Facts find(std::string_view text) {
    const auto found = index.find(text);
    if (found == index.end()) return nullptr;
    entries.splice(entries.begin(), entries, found->second);
    return found->second->facts;
  }

  void keep(std::string_view text, Facts facts) {
    if (index.contains(text)) return;
    const std::size_t size = text.size() + bytes_of(*facts) + kEntryOverhead;
    if (limits.max_entries == 0 || size > limits.max_bytes) return;
    entries.push_front({std::string(text), std::move(facts), size});
    index.emplace(entries.front().text, entries.begin());
    bytes += size;
    while (entries.size() > limits.max_entries || bytes > limits.max_bytes) {
      bytes -= entries.back().bytes;
      index.erase(entries.back().text);
      entries.pop_back();
    }
  }
};

FactsCache::FactsCache(Parser& parser, Limits limits) : parser_(parser), state_(std::make_shared<State>(limits)) {}
FactsCache::~FactsCache() = default;

FactsCache& FactsCache::of_process() {
  static FactsCache& cache = *new FactsCache(Parser::of_process());
  return cache;
}

Facts FactsCache::find(std::string_view text) {
  if (text.size() > kMaxAnalysedText) return too_long();
  const std::scoped_lock lock(state_->mutex);
  return state_->find(text);
}

void FactsCache::want(std::string_view text) {
  if (text.size() > kMaxAnalysedText) return;
  {
    const std::scoped_lock lock(state_->mutex);
    if (state_->index.contains(text) || !state_->waiting.emplace(text).second) return;
  }
  const bool queued =
      parser_.analyse(std::string(text), [state = state_, key = std::string(text)](StatementFacts facts) {
        auto shared = std::make_shared<const StatementFacts>(std::move(facts));
        const std::scoped_lock lock(state->mutex);
        state->waiting.erase(key);
        state->keep(key, std::move(shared));
      });
  if (!queued) {
    const std::scoped_lock lock(state_->mutex);
    state_->waiting.erase(std::string(text));
  }
}

Facts FactsCache::analyse_now(std::string_view text) {
  if (Facts known = find(text)) return known;
  auto facts = std::make_shared<const StatementFacts>(parser_.analyse_now(text));
  const std::scoped_lock lock(state_->mutex);
  state_->keep(text, facts);
  return facts;
}

FactsCache::Usage FactsCache::usage() const {
  const std::scoped_lock lock(state_->mutex);
  return {.entries = state_->entries.size(), .bytes = state_->bytes, .waiting = state_->waiting.size()};
}

}  // namespace switchyard::inline v0::sql
