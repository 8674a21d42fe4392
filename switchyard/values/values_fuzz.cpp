// Arbitrary bytes as the value of any type, in either format: through text, JSON and the typed codecs. Nothing may
// crash or allocate beyond what the bytes can hold; JSON must come out valid; what was decoded must encode and
// decode to the same bytes again.
#include <switchyard/values/parameters.hpp>
#include <switchyard/values/row.hpp>

#include <cstdint>
#include <cstdlib>
#include <utility>

namespace switchyard {
namespace {

enum class Mood { sad, happy };
struct Price {
  Numeric amount;
  std::optional<std::string> currency;
  std::vector<std::optional<std::int32_t>> tags;
};
struct Pair {
  std::int64_t id;
  std::optional<Price> price;
};

}  // namespace

template <>
struct EnumLabels<Mood> {
  static constexpr std::pair<Mood, std::string_view> labels[] = {{Mood::sad, "sad"}, {Mood::happy, "happy"}};
};

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

template <class T>
void read_as(Oid type, ByteView bytes) {
  if (!Codec<T>::accepts(type)) return;
  T from_text{};
  (void)Codec<T>::decode_text(bytes, type, from_text);
  T value{};
  if (Codec<T>::decode(bytes, type, value) != DecodeStatus::ok) return;
  if constexpr (Encodable<T>) {
    base::WriteBuffer once, twice;
    if (Codec<T>::encode(once, value) != EncodeStatus::ok) return;
    if (Codec<T>::oid == oids::unspecified) return;
    T again{};
    require(Codec<T>::decode(once.view(), Codec<T>::oid, again) == DecodeStatus::ok);
    require(Codec<T>::encode(twice, again) == EncodeStatus::ok);
    require(once.view() == twice.view());
  }
}

template <class... T>
void read_as_each(Oid type, ByteView bytes) {
  (read_as<T>(type, bytes), ...);
}

/// The first two bytes choose the type: any that this room knows, and one of a user.
Oid choose_type(std::uint16_t choice) {
  constexpr Oid kUserType = 16500;
  constexpr Oid kHighest = 6157;  // int8multirange[]
  const Oid type = choice % (kHighest + 2);
  return find_type(type) != nullptr ? type : kUserType;
}

}  // namespace
}  // namespace switchyard

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace switchyard;
  if (size < 2) return 0;
  const Oid type = choose_type(static_cast<std::uint16_t>(data[0] << 8 | data[1]));
  const ByteView bytes(reinterpret_cast<const char*>(data + 2), size - 2);

  std::string text;
  (void)append_text(text, type, bytes);
  for (Format format : {Format::text, Format::binary}) {
    std::string json;
    append_json(json, type, format, bytes);
    require(is_valid_json(json));
  }
  read_as_each<bool, char, std::int16_t, std::int32_t, std::int64_t, std::uint32_t, float, double, Numeric>(type,
                                                                                                            bytes);
  read_as_each<std::string, std::string_view, Json, Bytes, Uuid, Inet, MacAddress, MacAddress8, Lsn, Xid8,
               BitString, Money, Mood>(type, bytes);
  read_as_each<Date, Time, TimeTz, Timestamp, TimestampTz, Interval, std::chrono::sys_seconds,
               std::chrono::sys_days, std::chrono::year_month_day, std::chrono::milliseconds>(type, bytes);
  read_as_each<std::vector<std::int32_t>, std::vector<std::optional<std::int64_t>>, std::vector<bool>,
               std::vector<std::string>, std::vector<Numeric>, Array<std::optional<std::int32_t>>,
               Array<std::string>, Array<double>>(type, bytes);
  read_as_each<Range<std::int32_t>, Range<Numeric>, Range<TimestampTz>, Multirange<std::int64_t>, Multirange<Date>,
               Price, Pair, std::vector<Price>>(type, bytes);

  // The same bytes as a row of three columns.
  const protocol::FieldDescription columns[3] = {
      {"a", 0, 0, oids::int8, 8, -1, 1}, {"b", 0, 0, oids::text, -1, -1, 1}, {"c", 0, 0, type, -1, -1, 1}};
  const auto description = protocol::RowDescription::make(columns);
  Row row;
  MapError problem;
  if (row.assign(description, protocol::RowView(bytes, 3), problem)) require(is_valid_json(row.to_json()));
  static const auto mapper = RowMapper<std::tuple<std::int64_t, std::optional<std::string>>>::make(
      protocol::RowDescription::make(std::span(columns).first(2)));
  std::tuple<std::int64_t, std::optional<std::string>> pair;
  (void)mapper->decode(protocol::RowView(bytes, 2), pair, problem);
  return 0;
}
