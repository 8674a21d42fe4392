#include <switchyard/protocol/row.hpp>

#include <switchyard/protocol/body_reader.hpp>

#include <cstring>
#include <new>

namespace switchyard::inline v0::protocol {
namespace {
// Behind each name: table, column, type, size, modifier, format.
constexpr std::size_t kFixedFieldBytes = 4 + 2 + 4 + 2 + 4 + 2;
constexpr std::string_view kMessage = "RowDescription";
}  // namespace

RowDescription::RowDescription(std::size_t fields, std::size_t name_bytes)
    : block_(nullptr), block_size_(fields * sizeof(FieldDescription) + name_bytes) {
  if (block_size_ == 0) return;
  block_ = ::operator new(block_size_);
  auto* first = static_cast<FieldDescription*>(block_);
  for (std::size_t i = 0; i < fields; ++i) new (first + i) FieldDescription();
  fields_ = {first, fields};
}

RowDescription::~RowDescription() { ::operator delete(block_); }

Result<std::shared_ptr<const RowDescription>> RowDescription::decode(ByteView body) {
  BodyReader reader(body);
  const auto count = reader.integer<std::int16_t>();
  if (reader.failed() || count < 0) return malformed_message(kMessage);
  const auto fields = static_cast<std::size_t>(count);
  // Each field takes its name, a zero byte and the fixed part.
  if (reader.remaining() < fields * (kFixedFieldBytes + 1)) return malformed_message(kMessage);
  const std::size_t name_bytes = reader.remaining() - fields * (kFixedFieldBytes + 1);
  std::shared_ptr<RowDescription> description(new RowDescription(fields, name_bytes));
  char* names = static_cast<char*>(description->block_) + fields * sizeof(FieldDescription);
  for (FieldDescription& field : description->fields_) {
    const std::string_view name = reader.cstring();
    field.table_oid = reader.integer<Oid>();
    field.column = reader.integer<std::int16_t>();
    field.type = reader.integer<Oid>();
    field.type_size = reader.integer<std::int16_t>();
    field.type_modifier = reader.integer<std::int32_t>();
    field.format = reader.integer<std::int16_t>();
    if (reader.failed() || (field.format != kTextFormat && field.format != kBinaryFormat)) {
      return malformed_message(kMessage);
    }
    // A later field that no longer fits fails above; until then every name fits into what the body had for names.
    if (static_cast<std::size_t>(names - static_cast<char*>(description->block_)) + name.size() >
        description->block_size_) {
      return malformed_message(kMessage);
    }
    if (!name.empty()) std::memcpy(names, name.data(), name.size());
    field.name = {names, name.size()};
    names += name.size();
  }
  if (!reader.finished()) return malformed_message(kMessage);
  return std::shared_ptr<const RowDescription>(std::move(description));
}

std::shared_ptr<const RowDescription> RowDescription::make(std::span<const FieldDescription> fields) {
  std::size_t name_bytes = 0;
  for (const FieldDescription& field : fields) name_bytes += field.name.size();
  std::shared_ptr<RowDescription> description(new RowDescription(fields.size(), name_bytes));
  char* names = static_cast<char*>(description->block_) + fields.size() * sizeof(FieldDescription);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    FieldDescription& field = description->fields_[i];
    field = fields[i];
    if (!field.name.empty()) std::memcpy(names, field.name.data(), field.name.size());
    field.name = {names, field.name.size()};
    names += field.name.size();
  }
  return description;
}

}  // namespace switchyard::inline v0::protocol
