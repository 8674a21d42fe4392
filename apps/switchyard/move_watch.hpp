// Moves what move_on_configure asks for, beside a program that serves: on a thread of its own, one move after the
// other, again after a pause when one could not be done. What comes of it is logged.
#pragma once

#include <switchyard/config/fleet_config.hpp>

#include <thread>

namespace switchyard::cli {

class MoveWatch {
 public:
  /// No thread where nothing is asked for. Ended half-way, a move goes on with the next program that serves.
  explicit MoveWatch(const FleetConfig& fleet);
  ~MoveWatch();
  MoveWatch(const MoveWatch&) = delete;
  MoveWatch& operator=(const MoveWatch&) = delete;

 private:
  std::jthread thread_;
};

}  // namespace switchyard::cli
