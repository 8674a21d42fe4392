// What a database holds, small enough to keep beside its dump: the catalogue, and of each table the number of rows
// and a checksum of their contents. Taken in the snapshot that the dump shows, so a restored copy must have the
// same.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/schema/catalogue_image.hpp>
#include <switchyard/session/querier.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::backup {

struct TableContents {
  std::uint64_t rows = 0;
  /// Sum of hashes of the rows as text, whatever their order; empty: not taken.
  std::string checksum;
};

struct SequencePosition {
  std::string last;  ///< empty: never used
  bool rising = true;
};

struct Fingerprint {
  schema::CatalogueImage catalogue;
  std::map<std::string, TableContents> tables;  ///< "public.orders"; partitions by themselves
  std::map<std::string, SequencePosition>
      sequences;                    ///< they are not part of a snapshot: a restored one is no lower
  std::vector<std::string> roles;   ///< that the server knows, so that a copy can have the owners
  std::uint64_t large_objects = 0;  ///< of a whole database

  [[nodiscard]] SWITCHYARD_API std::uint64_t rows() const noexcept;
};

enum class Contents : std::uint8_t {
  counted,  ///< rows are counted
  summed,   ///< and their contents read
};

/// Reads it in the transaction that the querier is in. `schema` empty: the whole database. It changes settings of
/// that transaction (search_path, DateStyle and the like), so that every server writes the same text.
[[nodiscard]] SWITCHYARD_API Task<Fingerprint> read_fingerprint(Querier& querier, std::string schema,
                                                                Contents contents);

/// The same in a transaction of its own.
[[nodiscard]] SWITCHYARD_API Task<Fingerprint> read_in_snapshot(Querier& querier, std::string schema,
                                                                Contents contents);

/// What is different in `found`, one line each: "table public.orders has 9 rows instead of 10".
[[nodiscard]] SWITCHYARD_API std::vector<std::string> differences(const Fingerprint& expected,
                                                                  const Fingerprint& found);

[[nodiscard]] SWITCHYARD_API std::string to_json(const Fingerprint& fingerprint);
[[nodiscard]] SWITCHYARD_API Result<Fingerprint> parse_fingerprint(std::string_view json);

}  // namespace switchyard::inline v0::backup
