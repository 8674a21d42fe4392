// One spooled write as bytes: the statements of an operation or transaction with their parameters, exactly as they
// would have been sent. Kept in `switchyard.spool`, so the format is a contract between versions.
//
//   entry      = version (1 byte) count (u32) statement*
//   statement  = text length (u32) text, number of parameter sets (u32) set*
//   set        = number of parameters (u16), type OID (u32) and format (u16) of each, length (u32) values
//   values     = as in Bind (manual chapter 55.7): int32 length or -1 for NULL, bytes
//
// Integers are in network byte order. Type OIDs are those of PostgreSQL's own types, which are the same on every
// server; everything else travels as text of unspecified type.
#pragma once

#include <switchyard/base/bytes.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/session/operation_state.hpp>
#include <switchyard/values/parameters.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::fleet {

/// The largest entry, so that one write can't fill the spool or the memory of whoever drains it.
inline constexpr std::size_t kMaxSpoolEntryBytes = 16 << 20;

/// One statement, run once for each set of parameters (a statement without parameters has one empty set).
struct SpoolStatement {
  std::string sql;
  std::vector<Parameters> sets;
};

using SpoolEntry = std::vector<SpoolStatement>;

/// Why the text can't be kept and run later, or empty: it controls transactions, or changes its session.
[[nodiscard]] std::string_view why_not_spooled(std::string_view sql) noexcept;

/// Appends the statements of `operation` (execute, execute_many, batch) to `entry`. Usage errors: a script, a
/// statement that why_not_spooled() names. The operation stays as it is.
[[nodiscard]] Result<void> append_to_entry(SpoolEntry& entry, const session::OperationState& operation);

/// Usage error for an entry larger than kMaxSpoolEntryBytes.
[[nodiscard]] Result<std::string> encode_entry(const SpoolEntry& entry);
/// Protocol error, naming the place, for bytes that encode_entry() has not made. Allocates no more than a small
/// multiple of `bytes`.
[[nodiscard]] Result<SpoolEntry> decode_entry(ByteView bytes);

/// What lists show of an entry: its first statement without values, and how many more there are.
[[nodiscard]] std::string summary_of(const SpoolEntry& entry);

}  // namespace switchyard::inline v0::fleet
