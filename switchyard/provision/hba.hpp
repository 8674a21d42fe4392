// Which lines of pg_hba.conf let whom in. Internal to the room.
#pragma once

#include <switchyard/provision/server_image.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::provision {

/// The first line by which this role may connect over TCP without TLS, from anywhere beyond this machine; null if
/// there is none. A line for a group (+role) counts as one for everybody: who is in it is not known here.
[[nodiscard]] const HbaRule* plain_text_rule(const std::vector<HbaRule>& rules, std::string_view database,
                                             std::string_view role);
/// The text of pg_hba.conf with these lines in front, between two comments that name the application; what was
/// there between such comments before is gone. No lines: no comments either.
[[nodiscard]] std::string hba_with_block(std::string_view text, std::string_view application,
                                         const std::vector<std::string>& lines);
/// All addresses, or at least a network of 65 536.
[[nodiscard]] bool is_wide(const HbaRule& rule);
/// Only this machine: 127.0.0.0/8, ::1, localhost, samehost.
[[nodiscard]] bool is_local(const HbaRule& rule);

}  // namespace switchyard::inline v0::provision
