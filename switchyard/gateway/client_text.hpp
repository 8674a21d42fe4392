// What a text of a client means for the session it runs on and for the client: what it may leave there, which
// settings it may change, whether it concerns the client's prepared statements. A cautious look: what is not
// recognised is left to the facts of the parse tree, and where those say nothing the worst is believed.
//
// What a text *may* leave is a claim; whether it did is asked of the server when the transaction has ended.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/gateway/sql_words.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::gateway {

/// What may stay on a session, as bits.
enum class Claim : std::uint16_t {
  none = 0,
  temporary = 1 << 0,  ///< temporary tables and what else is in pg_temp
  locks = 1 << 1,      ///< advisory locks of the session
  cursors = 1 << 2,    ///< WITH HOLD
  listens = 1 << 3,
  prepares = 1 << 4,   ///< PREPARE of SQL
  functions = 1 << 5,  ///< DO, CALL, a function that nobody knows
  custom = 1 << 6,     ///< a setting of an extension or of the application ("app.tenant"), or one that is not named
  sequences = 1 << 7,  ///< currval, lastval are read
  lasting = 1 << 8,    ///< ends with the session only: LOAD, setseed, dblink, a text that is not understood
};
constexpr Claim operator|(Claim a, Claim b) noexcept {
  return static_cast<Claim>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr Claim operator&(Claim a, Claim b) noexcept {
  return static_cast<Claim>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}
constexpr Claim operator~(Claim a) noexcept { return static_cast<Claim>(~static_cast<unsigned>(a) & 0x1ff); }
constexpr Claim& operator|=(Claim& a, Claim b) noexcept { return a = a | b; }
constexpr Claim& operator&=(Claim& a, Claim b) noexcept { return a = a & b; }
constexpr bool any(Claim claims) noexcept { return claims != Claim::none; }

/// Those that the server can be asked about.
inline constexpr Claim kProvable =
    Claim::temporary | Claim::locks | Claim::cursors | Claim::listens | Claim::prepares;

/// Why a client keeps its session, for people: "temporary tables".
[[nodiscard]] SWITCHYARD_API std::string_view claim_text(Claim claims) noexcept;

/// A text of one statement that concerns the client's names of prepared statements, or everything it has.
enum class TextVerb : std::uint8_t { other, prepare, execute, deallocate, deallocate_all, discard_all };

struct ClientText {
  Claim claims = Claim::none;
  TextVerb verb = TextVerb::other;
  bool judged = true;               ///< false: its parse tree is not known yet; ask again
  bool plain = false;               ///< nothing of what follows, and nothing is left
  bool may_end_claims = false;      ///< UNLISTEN, DROP, CLOSE, an unlock ...
  bool forgets_statements = false;  ///< DISCARD ALL or DEALLOCATE among others
  bool leaves_transaction = false;  ///< may run in a failed transaction: COMMIT, ROLLBACK
  bool changes_catalogue = false;
  bool asks_statements = false;        ///< reads pg_prepared_statements
  bool asks_process = false;           ///< calls pg_backend_pid()
  bool may_notify = false;             ///< NOTIFY or pg_notify()
  bool resets_all = false;             ///< RESET ALL, DISCARD ALL
  std::vector<std::string> resets;     ///< settings of RESET, SET ... TO DEFAULT
  std::vector<std::string> settings;   ///< all settings that may change, folded
  std::vector<std::string> listens;    ///< channels of LISTEN, as the server calls them
  std::vector<std::string> unlistens;  ///< of UNLISTEN; empty: all
  std::string name;                    ///< of the statement, with a verb
  std::size_t name_at = 0;             ///< where it is written
  std::size_t name_size = 0;
  std::string sql;  ///< while not judged
};

/// `harmless`: functions of the user that leave nothing, as "schema.name".
[[nodiscard]] SWITCHYARD_API ClientText read_client_text(std::string_view sql, Backslash backslash,
                                                         std::span<const std::string> harmless);

}  // namespace switchyard::inline v0::gateway
