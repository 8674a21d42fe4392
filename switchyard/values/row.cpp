#include <switchyard/values/row.hpp>

#include <switchyard/base/suggest.hpp>
#include <switchyard/values/hex.hpp>
#include <switchyard/values/render.hpp>

#include <cstring>
#include <new>
#include <utility>

namespace switchyard::inline v0 {

Row::Row(std::shared_ptr<const protocol::RowDescription> columns, protocol::RowView row) {
  MapError error;
  if (assign(columns, row, error)) return;
  if (error.status == DecodeStatus::out_of_memory) throw std::bad_alloc();
  throw Error(ErrorKind::Mapping, "a row's fields don't fit its length or its columns");
}

Row::Row(const Row& other) : columns_(other.columns_), count_(other.count_), block_size_(other.block_size_) {
  if (block_size_ == 0) return;
  block_ = std::make_unique_for_overwrite<char[]>(block_size_);
  std::memcpy(block_.get(), other.block_.get(), block_size_);
}

Row& Row::operator=(const Row& other) {
  if (this != &other) *this = Row(other);
  return *this;
}

bool Row::assign(const std::shared_ptr<const protocol::RowDescription>& columns, protocol::RowView row,
                 MapError& error) noexcept {
  const auto count = static_cast<std::size_t>(row.count() < 0 ? 0 : row.count());
  const ByteView bytes = row.bytes();
  const std::size_t table = count * sizeof(Place);
  const std::size_t size = table + bytes.size();
  if (count != columns->size() || bytes.size() > kMaxValueBytes) {
    error = {DecodeStatus::malformed, -1};
    return false;
  }
  std::unique_ptr<char[]> block(new (std::nothrow) char[size]);
  if (block == nullptr) {
    error = {DecodeStatus::out_of_memory, -1};
    return false;
  }
  // The length words stay between the fields: one copy of everything is cheaper than one of each field.
  if (!bytes.empty()) std::memcpy(block.get() + table, bytes.data(), bytes.size());
  protocol::FieldCursor cursor = row.fields();
  for (std::size_t i = 0; i < count; ++i) {
    const protocol::FieldView field = cursor.next();
    Place place{0, field.size};
    if (field.size > 0)
      place.offset = static_cast<std::uint32_t>(table + static_cast<std::size_t>(field.data - bytes.data()));
    std::memcpy(block.get() + i * sizeof(Place), &place, sizeof(Place));
  }
  if (cursor.failed()) {
    error = {DecodeStatus::malformed, -1};
    return false;
  }
  columns_ = columns;
  block_ = std::move(block);
  count_ = count;
  block_size_ = size;
  return true;
}

std::optional<std::size_t> Row::find(std::string_view name) const noexcept {
  for (std::size_t i = 0; i < count_; ++i) {
    if ((*columns_)[i].name == name) return i;
  }
  return std::nullopt;
}

Result<std::size_t> Row::column_named(std::string_view name) const {
  const std::optional<std::size_t> first = find(name);
  if (!first) {
    std::vector<std::string_view> names;
    std::string list;
    for (std::size_t i = 0; i < count_; ++i) {
      names.push_back((*columns_)[i].name);
      list += (i == 0 ? "" : ", ") + std::string(names.back());
    }
    Error error(ErrorKind::Mapping, "the row has no column '" + std::string(name) +
                                        "'; it has: " + (list.empty() ? std::string("no columns") : list));
    std::string hint = did_you_mean(name, names);
    return hint.empty() ? error : error.with_hint(std::move(hint));
  }
  for (std::size_t i = *first + 1; i < count_; ++i) {
    if ((*columns_)[i].name != name) continue;
    return Error(ErrorKind::Mapping, "columns " + std::to_string(*first + 1) + " and " + std::to_string(i + 1) +
                                         " of the row are both named '" + std::string(name) + "'")
        .with_hint("read them by position, or name one of them with AS");
  }
  return *first;
}

Result<void> Row::read(std::size_t column, const values::MemberPlan& plan, void* value) const {
  if (column >= count_) {
    return Error(ErrorKind::Mapping,
                 "the row has " + std::to_string(count_) + " columns, there is no index " + std::to_string(column));
  }
  const protocol::FieldDescription& described = (*columns_)[column];
  const auto sentence = [&](std::string_view what) {
    return "column '" + std::string(described.name) + "' " + std::string(what) + ", but " + plan.cpp_name() +
           " was asked for";
  };
  if (!plan.accepts(described.type)) {
    const std::string_view fits = values::cpp_type_for(described.type);
    return Error(ErrorKind::Mapping, sentence("is " + type_name(described.type)))
        .with_hint(fits.empty() ? std::string("text() shows any type") : std::string(fits) + " fits");
  }
  const protocol::FieldView bytes = field(column);
  const auto decode = format(column) == Format::binary ? plan.decode : plan.decode_text;
  const DecodeStatus status = decode(bytes.data, bytes.size, described.type, value);
  if (status == DecodeStatus::ok) return {};
  Error error(ErrorKind::Mapping, sentence("(" + type_name(described.type) + ") " + std::string(describe(status))));
  return status == DecodeStatus::null_value ? error.with_hint("use std::optional<" + plan.cpp_name() + ">") : error;
}

std::optional<std::string> Row::text(std::size_t column) const {
  if (column >= count_) {
    throw Error(ErrorKind::Mapping,
                "the row has " + std::to_string(count_) + " columns, there is no index " + std::to_string(column));
  }
  const protocol::FieldView bytes = field(column);
  if (bytes.is_null()) return std::nullopt;
  if (format(column) == Format::text) return std::string(bytes.bytes());
  std::string out;
  if (!append_text(out, type(column), bytes.bytes())) {
    out = "\\x";
    values::append_hex(out, bytes.bytes());
  }
  return out;
}

std::optional<std::string> Row::text(std::string_view column) const {
  return text(column_named(column).value_or_throw());
}

std::string Row::to_json() const {
  std::string out;
  append_json_to(out);
  return out;
}

void Row::append_json_to(std::string& out) const {
  out += '{';
  for (std::size_t i = 0; i < count_; ++i) {
    if (i != 0) out += ',';
    append_json_string(out, name(i));
    out += ':';
    const protocol::FieldView bytes = field(i);
    if (bytes.is_null()) {
      out += "null";
    } else {
      append_json(out, type(i), format(i), bytes.bytes());
    }
  }
  out += '}';
}

std::vector<std::int16_t> result_formats_for(const protocol::RowDescription& columns) {
  std::vector<std::int16_t> formats;
  formats.reserve(columns.size());
  for (const protocol::FieldDescription& column : columns.fields()) {
    formats.push_back(static_cast<std::int16_t>(result_format_for(column.type)));
  }
  return formats;
}

std::shared_ptr<const protocol::RowDescription> with_formats(const protocol::RowDescription& columns,
                                                             std::span<const std::int16_t> formats) {
  std::vector<protocol::FieldDescription> fields(columns.fields().begin(), columns.fields().end());
  for (std::size_t i = 0; i < fields.size() && !formats.empty(); ++i) {
    fields[i].format = formats.size() == 1 ? formats[0] : i < formats.size() ? formats[i] : fields[i].format;
  }
  return protocol::RowDescription::make(fields);
}

}  // namespace switchyard::inline v0
