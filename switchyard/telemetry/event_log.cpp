#include <switchyard/telemetry/event_log.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <type_traits>
#include <variant>

namespace switchyard::inline v0::telemetry {

namespace {

using Key = std::pair<std::string, std::string>;
using KeyView = std::pair<std::string_view, std::string_view>;

/// Looking up must not allocate.
struct KeyLess {
  using is_transparent = void;
  static KeyView view(const Key& key) noexcept { return {key.first, key.second}; }
  static KeyView view(const KeyView& key) noexcept { return key; }
  template <class A, class B>
  bool operator()(const A& a, const B& b) const noexcept {
    return view(a) < view(b);
  }
};

struct Tally {
  std::uint64_t count = 0;
  std::uint64_t left_out = 0;
  std::uint64_t left_out_since_line = 0;
  unsigned tokens = 0;
  TimePoint refilled{};
};

std::string text_of(const log::Field::Value& value) {
  return std::visit(
      [](const auto& v) -> std::string {
        using T = std::remove_cvref_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::string_view>) {
          return std::string(v);
        } else if constexpr (std::is_same_v<T, bool>) {
          return v ? "true" : "false";
        } else {
          std::array<char, 32> buffer;
          return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), v).ptr};
        }
      },
      value);
}

}  // namespace

struct EventLog::State {
  mutable std::mutex mutex;
  EventLimits limits;
  std::map<Key, Tally, KeyLess> tallies;
  std::deque<KeptEvent> ring;
  std::uint64_t last = 0;

  Tally& tally(std::string_view kind, std::string_view database, TimePoint now) {
    const auto found = tallies.find(KeyView(kind, database));
    if (found != tallies.end()) return found->second;
    if (tallies.size() >= kMaxKeys) database = "other";
    const auto [place, is_new] = tallies.try_emplace(Key(kind, database));
    if (is_new) {
      place->second.tokens = limits.burst;
      place->second.refilled = now;
    }
    return place->second;
  }
};

EventLog::EventLog(EventLimits limits) : state_(std::make_unique<State>()) { state_->limits = limits; }
EventLog::~EventLog() = default;

void EventLog::configure(EventLimits limits) {
  const std::lock_guard lock(state_->mutex);
  state_->limits = limits;
  while (state_->ring.size() > limits.kept) state_->ring.pop_front();
  for (auto& [key, tally] : state_->tallies) tally.tokens = std::min(tally.tokens, limits.burst);
}

std::optional<std::uint64_t> EventLog::admit(const EventKind& kind, std::string_view database,
                                             TimePoint now) noexcept {
  try {
    const std::lock_guard lock(state_->mutex);
    const EventLimits& limits = state_->limits;
    Tally& tally = state_->tally(kind.name, database, now);
    ++tally.count;
    if (tally.tokens < limits.burst && now > tally.refilled) {
      const auto earned = limits.interval > Duration::zero() ? (now - tally.refilled) / limits.interval
                                                             : static_cast<Duration::rep>(limits.burst);
      if (earned > 0) {
        tally.tokens = static_cast<unsigned>(
            std::min<Duration::rep>(limits.burst, static_cast<Duration::rep>(tally.tokens) + earned));
        tally.refilled = tally.tokens == limits.burst ? now : tally.refilled + earned * limits.interval;
      }
    }
    if (tally.tokens == 0) {
      ++tally.left_out;
      ++tally.left_out_since_line;
      return std::nullopt;
    }
    if (tally.tokens == limits.burst) tally.refilled = now;
    --tally.tokens;
    return std::exchange(tally.left_out_since_line, 0);
  } catch (const std::exception&) {  // memory ran out
    return std::nullopt;
  }
}

void EventLog::keep(const EventKind& kind, std::string_view database, std::string_view message,
                    std::uint64_t left_out, std::initializer_list<log::Field> fields) noexcept {
  try {
    std::string line(message);
    if (left_out != 0) line += " (" + std::to_string(left_out) + " more of these were left out)";
    if (log::Sink* sink = log::wanted(kind.level, kind.room)) {
      sink->write(log::Event{kind.level, kind.room, kind.name, line, {fields.begin(), fields.size()}});
    }
    KeptEvent event;
    event.at = std::chrono::system_clock::now();
    event.level = kind.level;
    event.kind = kind.name;
    event.database = database;
    event.message = std::move(line);
    event.left_out = left_out;
    for (const log::Field& field : fields) event.fields.emplace_back(field.key, text_of(field.value));
    const std::lock_guard lock(state_->mutex);
    event.sequence = ++state_->last;
    state_->ring.push_back(std::move(event));
    while (state_->ring.size() > state_->limits.kept) state_->ring.pop_front();
  } catch (const std::exception&) {
    // Memory ran out: the event is counted, its line is lost.
  }
}

std::vector<KeptEvent> EventLog::since(std::uint64_t sequence, std::size_t most) const {
  const std::lock_guard lock(state_->mutex);
  const auto& ring = state_->ring;
  auto first = std::ranges::upper_bound(ring, sequence, {}, &KeptEvent::sequence);
  if (static_cast<std::size_t>(ring.end() - first) > most) first = ring.end() - static_cast<std::ptrdiff_t>(most);
  return {first, ring.end()};
}

std::uint64_t EventLog::last_sequence() const noexcept {
  const std::lock_guard lock(state_->mutex);
  return state_->last;
}

std::vector<EventCount> EventLog::counts() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<EventCount> out;
  out.reserve(state_->tallies.size());
  for (const auto& [key, tally] : state_->tallies) {
    out.push_back({key.first, key.second, tally.count, tally.left_out});
  }
  return out;
}

EventLog& events() noexcept {
  // Never destroyed: threads may have something to say until the very end.
  static EventLog& log = *new EventLog;
  return log;
}

}  // namespace switchyard::inline v0::telemetry
