// Does a text begin a transaction, and of what kind, and where does it end one? Read from its words
// (sql_words.hpp), for the choice of a session: what is not recognised begins none. Internal to the room.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/gateway/sql_words.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace switchyard::inline v0::gateway {

struct TransactionStart {
  enum class Access : std::uint8_t {
    none,     ///< it begins none, or goes on behind the end of the one that it begins
    session,  ///< whatever default_transaction_read_only says
    read_only,
    read_write,
  };
  Access access = Access::none;
  /// SERIALIZABLE, which a server in recovery does not have, is asked for.
  bool serializable = false;
  /// Another level is asked for: the session's default does not count.
  bool other_isolation = false;
};

[[nodiscard]] SWITCHYARD_API TransactionStart read_transaction_start(std::string_view sql, Backslash backslash);

/// Where in the text comes what follows the first statement that ends a transaction; its size, if nothing does.
/// Nothing: none ends one (ROLLBACK TO and COMMIT AND CHAIN don't).
[[nodiscard]] SWITCHYARD_API std::optional<std::size_t> end_of_transaction(std::string_view sql,
                                                                           Backslash backslash);

}  // namespace switchyard::inline v0::gateway
