// What the console has decided, for each shard of the gateway to do. Internal to the room.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace switchyard::inline v0::gateway {

struct ConsoleOrder {
  enum class What : std::uint8_t {
    pause,       ///< `databases`; of all: those that exist without having been named as well
    resume,      ///< likewise; what was paused by name stays so, unless it is named
    resume_all,  ///< the end of PAUSE and SUSPEND of everything
    disable,     ///< `databases` take no new clients
    enable,
    reconnect,     ///< sessions of `databases` that are open now are used by nobody else
    end_clients,   ///< those of `databases`, on the spot
    end_client,    ///< that with `id`
    give_back,     ///< sessions of `databases` that are kept for no other reason than that they may be needed soon
    suspend,       ///< nothing of clients is read
    wait_servers,  ///< SHUTDOWN: all is paused, only the console takes new clients
    wait_clients,  ///< SHUTDOWN: only the console takes new clients
    set,           ///< `key` of SHOW CONFIG gets `value`
  };
  What what = What::pause;
  bool all = false;  ///< no database was named
  std::vector<std::string> databases{};
  std::uint32_t id = 0;
  std::string key{};
  std::string value{};
};

}  // namespace switchyard::inline v0::gateway
