// What a client has sent, seen as one statement for the shared lane: a simple Query, or the messages up to a Sync
// with one Bind and one Execute of all its rows among them. Reads the bytes where they lie; no state, no memory.
//
//     Q
//     [P] [D statement] B [D portal] E S      each name the statement's, the portal unnamed
//
// Anything else is none: the client's messages take the long way (client_machine.hpp), which also knows what is
// wrong with them.
#pragma once

#include <switchyard/base/bytes.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/protocol/limits.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace switchyard::inline v0::gateway {

struct LaneGroup {
  enum class Kind : std::uint8_t { none, simple, extended };
  Kind kind = Kind::none;
  /// Bytes of all its messages.
  std::size_t size = 0;
  /// Of a simple query, without the zero byte.
  std::string_view sql;
  /// The statement's name; empty: the unnamed one. The same in Parse, Describe and Bind.
  std::string_view name;
  /// The body of Parse behind the name (text, zero byte, types); empty: there is no Parse.
  ByteView parse;
  /// The body of Bind.
  ByteView bind;
  bool describes_statement = false;
  bool describes_portal = false;
};

/// The group at the beginning of `bytes`, none if that is not all there yet.
[[nodiscard]] SWITCHYARD_API LaneGroup
read_lane_group(ByteView bytes, std::uint32_t max_message_size = protocol::kMaxMessageSize) noexcept;

}  // namespace switchyard::inline v0::gateway
