// The statements and settings of all clients of one database and role, whichever of its servers their sessions are
// at: names on the server are the same everywhere. Internal to the room.
#pragma once

#include <switchyard/gateway/interns.hpp>
#include <switchyard/gateway/lane_meaning.hpp>
#include <switchyard/gateway/notify_senders.hpp>
#include <switchyard/gateway/setting_sets.hpp>

#include <string>
#include <utility>

namespace switchyard::inline v0::gateway {

struct StatementHouse {
  explicit StatementHouse(std::string prefix) : interns(std::move(prefix)) {}
  Interns interns;
  SettingSets sets;
  LaneMeanings meanings;
  NotifySenders senders;
};

}  // namespace switchyard::inline v0::gateway
