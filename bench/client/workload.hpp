// The statements and arguments that every C++ client runs: MagicStack's query set.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace workload {

enum class Query : std::uint8_t { pg_type, series, bytea, int_array, batch, copy, one };

struct QueryName {
  Query query;
  std::string_view name;
};
inline constexpr QueryName kQueries[] = {
    {Query::pg_type, "pg_type"}, {Query::series, "series"},
    {Query::bytea, "bytea"},     {Query::int_array, "int_array"},
    {Query::batch, "batch"},     {Query::copy, "copy"},
    {Query::one, "one"},
};

inline constexpr const char* kPgType =
    "select typname, typnamespace, typowner, typlen, typbyval, typcategory, typispreferred, typisdefined, "
    "typdelim, "
    "typrelid, typelem, typarray from pg_type where typtypmod = $1 and typisdefined = $2";
inline constexpr const char* kSeries = "select i from generate_series(1, 1000) as s(i)";
inline constexpr const char* kBytea = "select value from _bytes";
inline constexpr const char* kIntArray = "select value from _arrays";
inline constexpr const char* kBatch = "insert into _batch (a, b) values ($1, $2)";
inline constexpr const char* kCopyBinary = "copy _copy (a, b, c) from stdin (format binary)";
inline constexpr const char* kOne = "select 1+1";

inline constexpr int kBatchRows = 1000;
inline constexpr int kCopyRows = 10'000;

/// The row of kPgType.
struct PgType {
  std::string typname;
  std::uint32_t typnamespace;
  std::uint32_t typowner;
  std::int16_t typlen;
  bool typbyval;
  char typcategory;
  bool typispreferred;
  bool typisdefined;
  char typdelim;
  std::uint32_t typrelid;
  std::uint32_t typelem;
  std::uint32_t typarray;
};

struct BatchRow {
  std::int32_t a;
  std::string b;
};
inline std::vector<BatchRow> batch_rows() {
  std::vector<BatchRow> rows;
  for (int i = 0; i < kBatchRows; ++i) rows.push_back({i, "this is row " + std::to_string(i)});
  return rows;
}

struct CopyRow {
  std::int32_t a;
  std::int64_t b;
  std::string c;
};
inline std::vector<CopyRow> copy_rows() {
  std::vector<CopyRow> rows;
  for (int i = 0; i < kCopyRows; ++i) rows.push_back({i, 1'000'000'007LL * i, "this is row " + std::to_string(i)});
  return rows;
}

}  // namespace workload
