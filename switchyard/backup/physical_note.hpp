// Where the newest backup of pgBackRest is noted, in its repository's folder: "switchyard-STANZA.json". Internal.
#pragma once

#include <string>

namespace switchyard::inline v0::backup {

[[nodiscard]] inline std::string last_name(const std::string& stanza) { return "switchyard-" + stanza + ".json"; }

}  // namespace switchyard::inline v0::backup
