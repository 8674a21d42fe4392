#include <switchyard/gateway/console_table.hpp>

#include <switchyard/base/bytes.hpp>
#include <switchyard/protocol/messages/rows.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace switchyard::inline v0::gateway {
namespace {

using enum ConsoleType;

constexpr Oid kInt8Oid = 20;
constexpr Oid kInt4Oid = 23;
constexpr Oid kTextOid = 25;
constexpr Oid kNumericOid = 1700;

// SHOW CLIENTS, SERVERS; the first kSocketColumns of SOCKETS.
constexpr ConsoleColumn kSockets[] = {
    {"type"},
    {"user"},
    {"database"},
    {"replication"},
    {"state"},
    {"addr"},
    {"port", int4},
    {"local_addr"},
    {"local_port", int4},
    {"connect_time"},
    {"request_time"},
    {"wait", int4},
    {"wait_us", int4},
    {"close_needed", int4},
    {"ptr"},
    {"link"},
    {"remote_pid", int4},
    {"tls"},
    {"application_name"},
    {"prepared_statements", int4},
    {"id", int4},
    {"route"},
    {"pin"},
    {"recv_pos", int4},
    {"pkt_pos", int4},
    {"pkt_remain", int4},
    {"send_pos", int4},
    {"send_remain", int4},
    {"pkt_avail", int4},
    {"send_avail", int4},
};
constexpr std::size_t kSocketColumns = 23;

constexpr ConsoleColumn kConfig[] = {{"key"}, {"value"}, {"default"}, {"changeable"}};
constexpr ConsoleColumn kDatabases[] = {
    {"name"},
    {"host"},
    {"port", int4},
    {"database"},
    {"force_user"},
    {"pool_size", int4},
    {"min_pool_size", int4},
    {"reserve_pool_size", int4},
    {"server_lifetime", int4},
    {"pool_mode"},
    {"load_balance_hosts"},
    {"max_connections", int4},
    {"current_connections", int4},
    {"max_client_connections", int4},
    {"current_client_connections", int4},
    {"paused", int4},
    {"disabled", int4},
};
constexpr ConsoleColumn kDnsHosts[] = {{"hostname"}, {"ttl", int8}, {"addrs"}};
constexpr ConsoleColumn kDnsZones[] = {{"zonename"}, {"serial", int8}, {"count", int4}};
constexpr ConsoleColumn kFds[] = {
    {"fd", int4},   {"task"},         {"user"},       {"database"},         {"addr"},
    {"port", int4}, {"cancel", int8}, {"link", int4}, {"client_encoding"},  {"std_strings"},
    {"datestyle"},  {"timezone"},     {"password"},   {"scram_client_key"}, {"scram_server_key"},
};
constexpr ConsoleColumn kLanes[] = {
    {"database"},
    {"endpoint"},
    {"sessions", int4},
    {"outstanding", int4},
    {"queued", int4},
    {"statements", int8},
    {"syncs", int8},
    {"reissued", int8},
    {"cancels", int8},
    {"alarms", int8},
    {"kind"},
    {"reason"},
    {"count", int8},
    {"server_pid", int4},
    {"client", int4},
    {"user"},
    {"addr"},
    {"port", int4},
    {"application_name"},
    {"request_time"},
};
constexpr ConsoleColumn kLists[] = {{"list"}, {"items", int4}};
constexpr ConsoleColumn kMem[] = {{"name"}, {"size", int4}, {"used", int4}, {"free", int4}, {"memtotal", int4}};
constexpr ConsoleColumn kPeers[] = {{"peer_id", int4}, {"host"}, {"port", int4}, {"pool_size", int4}};
constexpr ConsoleColumn kPeerPools[] = {{"peer_id", int4},
                                        {"cl_active_cancel_req", int4},
                                        {"cl_waiting_cancel_req", int4},
                                        {"sv_active_cancel", int4},
                                        {"sv_login", int4}};
constexpr ConsoleColumn kPools[] = {
    {"database"},
    {"user"},
    {"cl_active", int4},
    {"cl_waiting", int4},
    {"cl_active_cancel_req", int4},
    {"cl_waiting_cancel_req", int4},
    {"sv_active", int4},
    {"sv_active_cancel", int4},
    {"sv_being_canceled", int4},
    {"sv_idle", int4},
    {"sv_used", int4},
    {"sv_tested", int4},
    {"sv_login", int4},
    {"maxwait", int4},
    {"maxwait_us", int4},
    {"pool_mode"},
    {"load_balance_hosts"},
};
constexpr ConsoleColumn kPrepared[] = {{"id", int8},        {"database"},      {"name"},      {"query"},
                                       {"parameter_types"}, {"clients", int4}, {"uses", int8}};
constexpr ConsoleColumn kState[] = {{"key"}, {"value"}};
constexpr ConsoleColumn kStats[] = {
    {"database"},
    {"total_server_assignment_count", numeric},
    {"total_xact_count", numeric},
    {"total_query_count", numeric},
    {"total_received", numeric},
    {"total_sent", numeric},
    {"total_xact_time", numeric},
    {"total_query_time", numeric},
    {"total_wait_time", numeric},
    {"total_client_parse_count", numeric},
    {"total_server_parse_count", numeric},
    {"total_bind_count", numeric},
    {"total_client_login_count", numeric},
    {"avg_server_assignment_count", numeric},
    {"avg_xact_count", numeric},
    {"avg_query_count", numeric},
    {"avg_recv", numeric},
    {"avg_sent", numeric},
    {"avg_xact_time", numeric},
    {"avg_query_time", numeric},
    {"avg_wait_time", numeric},
    {"avg_client_parse_count", numeric},
    {"avg_server_parse_count", numeric},
    {"avg_bind_count", numeric},
    {"avg_client_login_count", numeric},
};
constexpr ConsoleColumn kStatsTotals[] = {
    {"database"},
    {"server_assignment_count", numeric},
    {"xact_count", numeric},
    {"query_count", numeric},
    {"bytes_received", numeric},
    {"bytes_sent", numeric},
    {"xact_time", numeric},
    {"query_time", numeric},
    {"wait_time", numeric},
    {"client_parse_count", numeric},
    {"server_parse_count", numeric},
    {"bind_count", numeric},
    {"client_login_count", numeric},
};
constexpr ConsoleColumn kStatsAverages[] = {
    {"database"},
    {"server_assignment_count", numeric},
    {"xact_count", numeric},
    {"query_count", numeric},
    {"bytes_received", numeric},
    {"bytes_sent", numeric},
    {"xact_time", numeric},
    {"query_time", numeric},
    {"wait_time", numeric},
    {"avg_client_parse_count", numeric},
    {"avg_server_parse_count", numeric},
    {"avg_bind_count", numeric},
    {"avg_client_login_count", numeric},
};
constexpr ConsoleColumn kTotals[] = {{"name"}, {"value", numeric}};
constexpr ConsoleColumn kUsers[] = {
    {"name"},
    {"pool_size"},
    {"reserve_pool_size"},
    {"pool_mode"},
    {"max_user_connections", int4},
    {"current_connections", int4},
    {"max_user_client_connections", int4},
    {"current_client_connections", int4},
};
constexpr ConsoleColumn kVersion[] = {{"version"}};

protocol::FieldDescription field_of(const ConsoleColumn& column, std::int16_t format) noexcept {
  protocol::FieldDescription field;
  field.name = column.name;
  field.type_modifier = -1;
  field.format = format;
  field.type_size = -1;
  switch (column.type) {
    case text: field.type = kTextOid; break;
    case int4: field.type = kInt4Oid, field.type_size = 4; break;
    case int8: field.type = kInt8Oid, field.type_size = 8; break;
    case numeric: field.type = kNumericOid; break;
  }
  return field;
}

std::int16_t format_of(std::span<const std::int16_t> formats, std::size_t column) noexcept {
  if (formats.empty()) return protocol::kTextFormat;
  return formats.size() == 1 ? formats[0] : formats[column];
}

/// As numeric_send: digits of base 10000, the most significant first. `number` is a decimal integer without a sign.
std::string binary_numeric(std::string_view number) {
  while (number.starts_with('0')) number.remove_prefix(1);
  std::vector<std::int16_t> digits;
  for (std::size_t end = number.size(); end > 0;) {
    const std::size_t begin = end > 4 ? end - 4 : 0;
    int digit = 0;
    (void)std::from_chars(number.data() + begin, number.data() + end, digit);
    digits.insert(digits.begin(), static_cast<std::int16_t>(digit));
    end = begin;
  }
  const auto weight = static_cast<std::int16_t>(digits.empty() ? 0 : digits.size() - 1);
  while (!digits.empty() && digits.back() == 0) digits.pop_back();
  base::WriteBuffer out;
  out.put_i16(static_cast<std::int16_t>(digits.size()));
  out.put_i16(weight);
  out.put_i16(0);  // positive
  out.put_i16(0);  // digits behind the point
  for (const std::int16_t digit : digits) out.put_i16(digit);
  return std::string(out.view());
}

std::string binary_of(ConsoleType type, const std::string& value) {
  base::WriteBuffer out;
  std::int64_t number = 0;
  switch (type) {
    case text: return value;
    case numeric: return binary_numeric(value);
    case int4:
      (void)std::from_chars(value.data(), value.data() + value.size(), number);
      out.put_i32(static_cast<std::int32_t>(number));
      break;
    case int8:
      (void)std::from_chars(value.data(), value.data() + value.size(), number);
      out.put_i64(number);
      break;
  }
  return std::string(out.view());
}

}  // namespace

std::span<const ConsoleColumn> console_columns(ConsoleTable table) noexcept {
  switch (table) {
    case ConsoleTable::none:
    case ConsoleTable::help:
    case ConsoleTable::setting: return {};
    case ConsoleTable::clients:
    case ConsoleTable::servers: return std::span(kSockets).first(kSocketColumns);
    case ConsoleTable::sockets:
    case ConsoleTable::active_sockets: return kSockets;
    case ConsoleTable::config: return kConfig;
    case ConsoleTable::databases: return kDatabases;
    case ConsoleTable::dns_hosts: return kDnsHosts;
    case ConsoleTable::dns_zones: return kDnsZones;
    case ConsoleTable::fds: return kFds;
    case ConsoleTable::lanes: return kLanes;
    case ConsoleTable::lists: return kLists;
    case ConsoleTable::mem: return kMem;
    case ConsoleTable::peers: return kPeers;
    case ConsoleTable::peer_pools: return kPeerPools;
    case ConsoleTable::pools: return kPools;
    case ConsoleTable::prepared_statements: return kPrepared;
    case ConsoleTable::state: return kState;
    case ConsoleTable::stats: return kStats;
    case ConsoleTable::stats_averages: return kStatsAverages;
    case ConsoleTable::stats_totals: return kStatsTotals;
    case ConsoleTable::totals: return kTotals;
    case ConsoleTable::users: return kUsers;
    case ConsoleTable::version: return kVersion;
  }
  return {};
}

std::string_view check_formats(std::size_t columns, const protocol::FormatList& formats) noexcept {
  if (formats.size() > 1 && formats.size() != columns) return "bind message has another number of result formats";
  for (std::size_t i = 0; i < formats.size(); ++i) {
    if (formats[i] != protocol::kTextFormat && formats[i] != protocol::kBinaryFormat)
      return "unsupported format code";
  }
  return {};
}

void encode_columns(base::WriteBuffer& out, ConsoleTable table, std::string_view setting,
                    std::span<const std::int16_t> formats) {
  std::vector<protocol::FieldDescription> fields;
  if (table == ConsoleTable::setting) fields.push_back(field_of({setting, text}, format_of(formats, 0)));
  for (const ConsoleColumn& column : console_columns(table)) {
    fields.push_back(field_of(column, format_of(formats, fields.size())));
  }
  (void)protocol::encode_row_description(out, fields);
}

void encode_row(base::WriteBuffer& out, ConsoleTable table, const ConsoleRow& row,
                std::span<const std::int16_t> formats) {
  const std::span<const ConsoleColumn> columns = console_columns(table);
  const std::vector<std::optional<std::string>>& values = row.values();
  std::vector<std::string> binary(values.size());
  std::vector<protocol::FieldView> fields;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!values[i]) {
      fields.emplace_back();
    } else if (format_of(formats, i) == protocol::kBinaryFormat && i < columns.size()) {
      binary[i] = binary_of(columns[i].type, *values[i]);
      fields.emplace_back(binary[i].data(), static_cast<std::int32_t>(binary[i].size()));
    } else {
      fields.emplace_back(values[i]->data(), static_cast<std::int32_t>(values[i]->size()));
    }
  }
  (void)protocol::encode_data_row(out, fields);
}

}  // namespace switchyard::inline v0::gateway
