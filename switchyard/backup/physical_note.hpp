// Where the newest backup of pgBackRest is noted, in its repository's folder: "switchyard-STANZA.json"; and what
// the last restore test found: "switchyard-STANZA-proof.json". Internal.
#pragma once

#include <string>

namespace switchyard::inline v0::backup {

[[nodiscard]] inline std::string last_name(const std::string& stanza) { return "switchyard-" + stanza + ".json"; }

[[nodiscard]] inline std::string proof_name(const std::string& stanza) {
  return "switchyard-" + stanza + "-proof.json";
}

}  // namespace switchyard::inline v0::backup
