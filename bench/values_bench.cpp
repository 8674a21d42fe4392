// Rows to structs, without a server: canned DataRow bytes of the kinds that the comparison with other drivers uses.
// The ceiling line copies the same bytes and touches every field, which is what no decoder can beat.
// Not measured: the network, the protocol's framing, allocation of the vector that rows go to.
#include <switchyard/values/parameters.hpp>
#include <switchyard/values/row.hpp>

#include <benchmark/benchmark.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace sy = switchyard;

namespace {

struct PgType {
  std::string typname;
  std::uint32_t typnamespace, typowner;
  std::int16_t typlen;
  bool typbyval;
  char typcategory;
  bool typispreferred, typisdefined;
  char typdelim;
  std::uint32_t typrelid, typelem, typarray;
};

struct Column {
  const char* name;
  sy::Oid type;
};

std::shared_ptr<const sy::protocol::RowDescription> describe(const std::vector<Column>& columns) {
  std::vector<sy::protocol::FieldDescription> fields;
  for (const Column& column : columns) {
    sy::protocol::FieldDescription field;
    field.name = column.name;
    field.type = column.type;
    field.format = 1;
    fields.push_back(field);
  }
  return sy::protocol::RowDescription::make(fields);
}

/// The fields of a row, encoded.
class Canned {
 public:
  template <class T>
  Canned& add(const T& value) {
    const std::size_t mark = bytes_.mark();
    bytes_.put_i32(0);
    (void)sy::Codec<T>::encode(bytes_, value);
    bytes_.patch_i32(mark, static_cast<std::int32_t>(bytes_.mark() - mark - 4));
    ++count_;
    return *this;
  }
  [[nodiscard]] sy::protocol::RowView view() const { return {bytes_.view(), count_}; }

 private:
  sy::base::WriteBuffer bytes_;
  int count_ = 0;
};

const Canned& pg_type_row() {
  static const Canned row = [] {
    Canned out;
    out.add(std::string("timestamptz"))
        .add(std::uint32_t{11})
        .add(std::uint32_t{10})
        .add(std::int16_t{8})
        .add(true);
    out.add('D').add(true).add(true).add(',').add(std::uint32_t{0}).add(std::uint32_t{0}).add(std::uint32_t{1185});
    return out;
  }();
  return row;
}

std::shared_ptr<const sy::protocol::RowDescription> pg_type_columns() {
  namespace oids = sy::oids;
  return describe({{"typname", oids::name},
                   {"typnamespace", oids::oid},
                   {"typowner", oids::oid},
                   {"typlen", oids::int2},
                   {"typbyval", oids::bool_},
                   {"typcategory", oids::char_},
                   {"typispreferred", oids::bool_},
                   {"typisdefined", oids::bool_},
                   {"typdelim", oids::char_},
                   {"typrelid", oids::oid},
                   {"typelem", oids::oid},
                   {"typarray", oids::oid}});
}

template <class T>
void decode(benchmark::State& state, const std::shared_ptr<const sy::protocol::RowDescription>& columns,
            sy::protocol::RowView row) {
  const auto mapper = sy::RowMapper<T>::make(columns).value_or_throw();
  sy::MapError problem;
  T object{};
  for (auto _ : state) {
    if (!mapper.decode(row, object, problem)) state.SkipWithError("the row does not fit");
    benchmark::DoNotOptimize(object);
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(row.bytes().size()));
}

void ceiling(benchmark::State& state, sy::protocol::RowView row) {
  std::string copy;
  for (auto _ : state) {
    copy.assign(row.bytes().data(), row.bytes().size());
    auto cursor = row.fields();
    std::int64_t sum = 0;
    while (cursor.remaining() > 0) sum += cursor.next().size;
    benchmark::DoNotOptimize(sum);
    benchmark::DoNotOptimize(copy);
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(row.bytes().size()));
}

void BM_PgType_Struct(benchmark::State& state) { decode<PgType>(state, pg_type_columns(), pg_type_row().view()); }
void BM_PgType_Ceiling(benchmark::State& state) { ceiling(state, pg_type_row().view()); }

void BM_PgType_UntypedRow(benchmark::State& state) {
  const auto columns = pg_type_columns();
  sy::MapError problem;
  sy::Row row;
  for (auto _ : state) {
    if (!row.assign(columns, pg_type_row().view(), problem)) state.SkipWithError("the row does not fit");
    benchmark::DoNotOptimize(row);
  }
}

void BM_PgType_Json(benchmark::State& state) {
  const sy::Row row(pg_type_columns(), pg_type_row().view());
  std::string out;
  for (auto _ : state) {
    out.clear();
    row.append_json_to(out);
    benchmark::DoNotOptimize(out);
  }
}

void BM_Integer_Value(benchmark::State& state) {
  Canned row;
  row.add(std::int32_t{7});
  decode<std::int64_t>(state, describe({{"generate_series", sy::oids::int4}}), row.view());
}

const Canned& bytea_row() {
  static const Canned row = [] {
    Canned out;
    out.add(sy::Bytes(std::string(1024, '\x5A')));
    return out;
  }();
  return row;
}
void BM_Bytea1k_Value(benchmark::State& state) {
  decode<sy::Bytes>(state, describe({{"b", sy::oids::bytea}}), bytea_row().view());
}
void BM_Bytea1k_Ceiling(benchmark::State& state) { ceiling(state, bytea_row().view()); }

const Canned& int_array_row() {
  static const Canned row = [] {
    std::vector<std::int32_t> numbers(100);
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<std::int32_t>(i * 7919);
    Canned out;
    out.add(numbers);
    return out;
  }();
  return row;
}
void BM_IntArray100_Value(benchmark::State& state) {
  decode<std::vector<std::int32_t>>(state, describe({{"a", 1007}}), int_array_row().view());
}
void BM_IntArray100_Ceiling(benchmark::State& state) { ceiling(state, int_array_row().view()); }

void BM_Parameters_FourMixed(benchmark::State& state) {
  sy::Parameters parameters;
  const std::string text = "some customs office";
  std::int64_t id = 0;
  for (auto _ : state) {
    (void)parameters.encode(++id, text, true, std::optional<std::int32_t>());
    benchmark::DoNotOptimize(parameters.bind_section());
  }
}

}  // namespace

BENCHMARK(BM_PgType_Struct);
BENCHMARK(BM_PgType_Ceiling);
BENCHMARK(BM_PgType_UntypedRow);
BENCHMARK(BM_PgType_Json);
BENCHMARK(BM_Integer_Value);
BENCHMARK(BM_Bytea1k_Value);
BENCHMARK(BM_Bytea1k_Ceiling);
BENCHMARK(BM_IntArray100_Value);
BENCHMARK(BM_IntArray100_Ceiling);
BENCHMARK(BM_Parameters_FourMixed);
