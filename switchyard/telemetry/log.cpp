#include <switchyard/telemetry/log.hpp>

namespace switchyard::inline v0::log {

namespace detail {
constinit std::atomic<Sink*> installed = nullptr;
}

std::string_view to_string(Level level) noexcept {
  switch (level) {
    case Level::debug: return "debug";
    case Level::info: return "info";
    case Level::warning: return "warning";
    case Level::error: return "error";
  }
  return "unknown";
}

Sink::~Sink() = default;

bool Sink::wants(Level, std::string_view) const noexcept { return true; }

Sink* set_sink(Sink* sink) noexcept { return detail::installed.exchange(sink, std::memory_order_acq_rel); }

}  // namespace switchyard::inline v0::log
