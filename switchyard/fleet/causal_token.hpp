// Read-your-writes across sessions, replicas and processes: a causal token says how far a server must have come so
// that a read there sees a certain write.
//
// A Request keeps one token per database, the furthest. Its writes raise it, its reads obey it, and it travels to
// other processes as the header
//
//     Switchyard-Min-LSN: main=7301022340561832001/1/0/402A018, reference=primary
//
// with system identifier, timeline and LSN (two halves), or the word "primary": something was written there and
// nobody knows how far it reaches (COMMIT in doubt, token lost), so only the primary is sure to show it.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/fleet/wal_position.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0 {

/// The name of the header. HTTP compares it without case.
inline constexpr std::string_view kMinLsnHeader = "Switchyard-Min-LSN";
/// A longer value is refused.
inline constexpr std::size_t kLongestMinLsnHeader = 8192;
/// Databases that a header may name, and that a request takes from headers.
inline constexpr std::size_t kMostTokens = 64;

/// One write's position. Positions of different timelines or clusters can't be compared.
struct CausalToken {
  std::string database;                 ///< logical name
  std::uint64_t system_identifier = 0;  ///< of the cluster (pg_control_system); 0 = unknown, matches every one
  std::uint32_t timeline = 0;           ///< 0 = unknown, matches every one
  WalPosition lsn;
  friend bool operator==(const CausalToken&, const CausalToken&) = default;
};

/// The tokens of one request: for each database the furthest.
class SWITCHYARD_API CausalTokens {
 public:
  struct Entry {
    CausalToken token;
    /// Only the primary may be read until a write's position is known again; `token` is then what was known before.
    bool primary_only = false;
  };

  /// A write of this request took effect up to `token.lsn`. On the same timeline the furthest counts; a later
  /// timeline or another cluster replaces what was known. What was in doubt is settled: it lies before the fresh
  /// position.
  void raise(const CausalToken& token);
  /// Something was written to the database, up to an unknown position.
  void lost(std::string_view database);
  /// Takes over what another process says. Tokens of two clusters for one database can't both be met: primary only.
  /// Usage error, with the place, for malformed text; nothing is taken over then.
  [[nodiscard]] Result<void> accept(std::string_view header);

  [[nodiscard]] const Entry* find(std::string_view database) const noexcept;
  [[nodiscard]] const std::vector<Entry>& entries() const noexcept { return entries_; }
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
  /// The header's value; empty without tokens.
  [[nodiscard]] std::string header() const;

  /// Parses one header value. Usage error as accept().
  [[nodiscard]] static Result<std::vector<Entry>> parse(std::string_view header);

 private:
  /// The entry of this name; made if there is none.
  [[nodiscard]] Entry& entry(std::string_view database);
  std::vector<Entry> entries_;
};

/// "7301022340561832001/1/0/402A018" of a token.
[[nodiscard]] SWITCHYARD_API std::string to_string(const CausalToken& token);
/// One position as to_string() writes it, or only an LSN ("0/402A018"); the database is left empty. Usage error.
[[nodiscard]] SWITCHYARD_API Result<CausalToken> parse_causal_position(std::string_view text);

}  // namespace switchyard::inline v0
