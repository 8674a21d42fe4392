// What the library has to say. It writes nothing itself: a program installs one Sink and decides what becomes of
// the events. Without a sink an event costs one load.
//
// Promises: a sink is called on the thread where the event happened, with views that are valid during the call
// only; no event holds a secret or a connection string. Not here: formatting, files, levels to filter by (the
// sink's).
#pragma once

#include <switchyard/base/export.hpp>

#include <atomic>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace switchyard::inline v0::log {

enum class Level : std::uint8_t {
  debug,    ///< for whoever looks for a fault: one per statement or message at most
  info,     ///< life of the fleet: opened, closed, reconnected
  warning,  ///< works, but somebody should look: slow, nearly exhausted, degraded
  error,    ///< something asked for did not happen
};

[[nodiscard]] SWITCHYARD_API std::string_view to_string(Level level) noexcept;

/// One named value of an event.
struct Field {
  using Value = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool>;

  std::string_view key;
  Value value;

  constexpr Field(std::string_view name, std::string_view text) noexcept : key(name), value(text) {}
  constexpr Field(std::string_view name, const char* text) noexcept : key(name), value(std::string_view(text)) {}
  constexpr Field(std::string_view name, bool truth) noexcept : key(name), value(truth) {}
  constexpr Field(std::string_view name, double number) noexcept : key(name), value(number) {}
  template <std::signed_integral T>
  constexpr Field(std::string_view name, T number) noexcept : key(name), value(std::int64_t{number}) {}
  template <std::unsigned_integral T>
    requires(!std::is_same_v<T, bool>)
  constexpr Field(std::string_view name, T number) noexcept : key(name), value(std::uint64_t{number}) {}
};

/// Something that happened.
struct Event {
  Level level = Level::info;
  std::string_view room;          ///< where: "pool", "session", ...
  std::string_view event;         ///< what, a constant of the code: "pool_exhaustion"
  std::string_view message;       ///< the line a person reads
  std::span<const Field> fields;  ///< the same as data
};

/// Receives events, from any thread, several at once.
class SWITCHYARD_API Sink {
 public:
  Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  virtual ~Sink();
  /// Asked before an event is put together, so that an unwanted one costs nothing more.
  [[nodiscard]] virtual bool wants(Level level, std::string_view room) const noexcept;
  virtual void write(const Event& event) noexcept = 0;
};

namespace detail {
SWITCHYARD_API extern std::atomic<Sink*> installed;
}

/// Installs `sink` (null: none) and returns the one before. The sink stays the caller's and must outlive every
/// thread that may still be writing to it: programs install one at their start and keep it.
SWITCHYARD_API Sink* set_sink(Sink* sink) noexcept;

/// The sink if there is one and it wants such an event, else null.
[[nodiscard]] inline Sink* wanted(Level level, std::string_view room) noexcept {
  Sink* sink = detail::installed.load(std::memory_order_acquire);
  return sink != nullptr && sink->wants(level, room) ? sink : nullptr;
}

inline void write(Level level, std::string_view room, std::string_view event, std::string_view message,
                  std::initializer_list<Field> fields = {}) noexcept {
  if (Sink* sink = wanted(level, room)) {
    sink->write(Event{level, room, event, message, std::span<const Field>(fields.begin(), fields.size())});
  }
}

/// The same with a message that is only made when somebody wants it: `make()` gives anything that converts to
/// std::string_view. It must not throw.
template <std::invocable Make>
void write(Level level, std::string_view room, std::string_view event, Make&& make,
           std::initializer_list<Field> fields = {}) noexcept {
  if (Sink* sink = wanted(level, room)) {
    const auto message = std::forward<Make>(make)();
    sink->write(Event{level, room, event, std::string_view(message),
                      std::span<const Field>(fields.begin(), fields.size())});
  }
}

template <class Message>
void debug(std::string_view room, std::string_view event, Message&& message,
           std::initializer_list<Field> fields = {}) noexcept {
  write(Level::debug, room, event, std::forward<Message>(message), fields);
}
template <class Message>
void info(std::string_view room, std::string_view event, Message&& message,
          std::initializer_list<Field> fields = {}) noexcept {
  write(Level::info, room, event, std::forward<Message>(message), fields);
}
template <class Message>
void warning(std::string_view room, std::string_view event, Message&& message,
             std::initializer_list<Field> fields = {}) noexcept {
  write(Level::warning, room, event, std::forward<Message>(message), fields);
}
template <class Message>
void error(std::string_view room, std::string_view event, Message&& message,
           std::initializer_list<Field> fields = {}) noexcept {
  write(Level::error, room, event, std::forward<Message>(message), fields);
}

}  // namespace switchyard::inline v0::log
