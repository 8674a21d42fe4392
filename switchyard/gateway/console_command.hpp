// What an operator says to the console, as a value. The grammar is PgBouncer's: one command a text, `WORD [WORD]`
// or `SET key = value`, and what drivers say by themselves (BEGIN, SET of a server's setting, an empty query).
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::inline v0::gateway {

enum class ConsoleVerb : std::uint8_t {
  empty,  ///< blanks and comments
  ping,   ///< SELECT 1
  begin,  ///< transactions of drivers that always open one; the console has nothing to roll back
  commit,
  rollback,
  discard,  ///< DISCARD ALL, DEALLOCATE ALL: the tag is what was said
  show,
  set,
  pause,
  resume,
  disable,
  enable,
  reconnect,
  kill,
  kill_client,
  suspend,
  shutdown,
  reload,
  wait_close,
};

/// What SHOW can show.
enum class ConsoleTable : std::uint8_t {
  none,
  active_sockets,
  clients,
  config,
  databases,
  dns_hosts,
  dns_zones,
  fds,
  help,
  lanes,
  lists,
  mem,
  peers,
  peer_pools,
  pools,
  prepared_statements,
  servers,
  sockets,
  state,
  stats,
  stats_averages,
  stats_totals,
  totals,
  users,
  version,
  setting,  ///< one of a server's settings, in ConsoleCommand::argument
};

struct ConsoleCommand {
  ConsoleVerb verb = ConsoleVerb::empty;
  ConsoleTable table = ConsoleTable::none;  ///< of show
  std::string argument;                     ///< a database, a client's id, the key of SET; empty if none
  std::string value;                        ///< of SET

  friend bool operator==(const ConsoleCommand&, const ConsoleCommand&) = default;
};

/// Longer texts are refused: "command is longer than 1024 bytes".
inline constexpr std::size_t kMaxConsoleText = 1024;
/// Names in a command, as of PgBouncer: "bad arguments".
inline constexpr std::size_t kMaxConsoleName = 63;
/// The value of a SET.
inline constexpr std::size_t kMaxConsoleValue = 512;

/// Errors are Server errors as PgBouncer words them: 08P01, "invalid command 'x', use SHOW HELP;".
[[nodiscard]] SWITCHYARD_API Result<ConsoleCommand> parse_console_command(std::string_view text);

/// A setting that servers have and drivers ask for or make without being asked: SHOW answers this, SET is ignored.
/// Null for every other name.
[[nodiscard]] SWITCHYARD_API const char* pretended_setting(std::string_view name) noexcept;

/// An error of the console: ERROR, 08P01 unless another code is given.
[[nodiscard]] SWITCHYARD_API Error console_error(std::string message, std::string_view sqlstate = "08P01");

}  // namespace switchyard::inline v0::gateway
