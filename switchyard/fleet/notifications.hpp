// LISTEN as a stream that survives its session.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/runtime/task.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace switchyard::inline v0 {

namespace fleet {
class Route;
}

struct Notification {
  enum class Kind : std::uint8_t {
    message,    ///< a NOTIFY
    connected,  ///< listening from now on; anything sent before may have been missed, so look for yourself
  };
  Kind kind = Kind::message;
  std::string channel;
  std::string payload;
  std::int32_t server_pid = 0;
};

/// The first element is always `connected`, and so is the first after each lost session.
class SWITCHYARD_API Notifications {
 public:
  Notifications(fleet::Route& route, std::string_view channel);
  Notifications(Notifications&&) noexcept;
  Notifications& operator=(Notifications&&) = delete;
  ~Notifications();

  /// The next notification; connects when there is no session. Throws what connecting throws (call again to try
  /// again).
  Task<Notification> next();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace switchyard::inline v0
