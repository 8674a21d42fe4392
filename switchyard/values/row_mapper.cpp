#include <switchyard/values/row_mapper.hpp>

#include <switchyard/base/suggest.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

namespace switchyard::inline v0 {
namespace {

using protocol::FieldDescription;
using protocol::RowDescription;

/// A message lists at most this many columns.
constexpr std::size_t kListedColumns = 40;

std::string quoted(std::string_view name) { return "'" + std::string(name) + "'"; }

/// "id (int4), code (text)"
std::string list_columns(const RowDescription& columns) {
  std::string out;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (i == kListedColumns) return out + ", and " + std::to_string(columns.size() - i) + " more";
    if (i != 0) out += ", ";
    out += std::string(columns[i].name) + " (" + type_name(columns[i].type) + ")";
  }
  return out.empty() ? "no columns" : out;
}

std::string plural(std::size_t n, std::string_view noun) {
  return std::to_string(n) + " " + std::string(noun) + (n == 1 ? "" : "s");
}

/// "member 'id' of Order is std::int32_t", "element 2 of std::tuple<...> is bool", "the value asked for is bool".
std::string describe_member(const values::RowPlan& plan, const values::MemberPlan& member) {
  const auto index = static_cast<std::size_t>(&member - plan.members.data());
  if (plan.match == values::RowPlan::Match::by_name) {
    return "member " + quoted(member.column) + " of " + plan.cpp_name() + " is " + member.cpp_name();
  }
  if (plan.members.size() == 1) return "the value asked for is " + member.cpp_name();
  return "element " + std::to_string(index + 1) + " of " + plan.cpp_name() + " is " + member.cpp_name();
}

/// The next field, if it has the width of Bits.
template <class Bits>
bool take_number(protocol::FieldCursor& cursor, char* to) noexcept {
  const char* value = cursor.next_of_size<sizeof(Bits)>();
  if (value == nullptr) return false;
  const auto bits = base::load_be<Bits>(value);
  std::memcpy(to, &bits, sizeof(bits));
  return true;
}

/// "use std::int64_t, or cast the column: id::int4"
std::string what_would_fit(const FieldDescription& column, const values::MemberPlan& member) {
  std::string type(values::cpp_type_for(column.type));
  if (const TypeInfo* info = find_type(column.type); type.empty() && info != nullptr) {
    const std::string_view element = values::cpp_type_for(info->element);
    if (info->kind == TypeKind::array && !element.empty()) type = "std::vector<" + std::string(element) + ">";
    if (info->kind == TypeKind::range && !element.empty()) type = "switchyard::Range<" + std::string(element) + ">";
  }
  const std::string cast =
      "cast the column: " + std::string(column.name) + "::" + type_name(member.oid == 0 ? oids::text : member.oid);
  return type.empty() ? cast : "use " + type + ", or " + cast;
}

}  // namespace

Result<RowTable> RowTable::build(const values::RowPlan& plan, std::shared_ptr<const RowDescription> columns) {
  RowTable table(plan, std::move(columns));
  if (Result<void> bound = table.bind(std::nullopt); !bound) return bound.error();
  return table;
}

Result<RowTable> RowTable::build(const values::RowPlan& plan, std::shared_ptr<const RowDescription> columns,
                                 Format format) {
  RowTable table(plan, std::move(columns));
  if (Result<void> bound = table.bind(format); !bound) return bound.error();
  return table;
}

Result<void> RowTable::bind(std::optional<Format> format) {
  const RowDescription& columns = *columns_;
  const bool by_name = plan_->match == values::RowPlan::Match::by_name;
  if (!by_name && columns.size() != plan_->members.size()) {
    const std::size_t wanted = plan_->members.size();
    Error error(ErrorKind::Mapping, "the result has " + plural(columns.size(), "column") + ", " +
                                        plan_->cpp_name() + " wants " + std::to_string(wanted) +
                                        "; the result has: " + list_columns(columns));
    return error.with_hint(wanted == 1 ? "select one column, or read the row into a struct or a tuple"
                                       : "select as many columns as the tuple has elements, or use a struct, which "
                                         "ignores columns that it does not name");
  }
  for (std::size_t i = 0; i < plan_->members.size(); ++i) {
    const values::MemberPlan& member = plan_->members[i];
    std::size_t index = i;
    if (by_name) {
      const Result<std::size_t> found = find_column(member);
      if (!found) return found.error();
      index = *found;
    }
    const FieldDescription& column = columns[index];
    if (!member.accepts(column.type)) {
      return Error(ErrorKind::Mapping, "column " + quoted(column.name) + " is " + type_name(column.type) +
                                           ", but " + describe_member(*plan_, member))
          .with_hint(what_would_fit(column, member));
    }
    if (index >= slots_.size()) slots_.resize(index + 1);
    const bool binary = format ? *format == Format::binary : column.format == protocol::kBinaryFormat;
    slots_[index] = {binary ? member.decode : member.decode_text, static_cast<std::uint32_t>(member.offset),
                     column.type, binary ? way_of(member) : Way::call};
    column_of_.push_back(static_cast<std::uint32_t>(index));
  }
  return {};
}

Result<std::size_t> RowTable::find_column(const values::MemberPlan& member) const {
  const RowDescription& columns = *columns_;
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].name != member.column) continue;
    if (found) {
      return Error(ErrorKind::Mapping, "columns " + std::to_string(*found + 1) + " and " + std::to_string(i + 1) +
                                           " of the result are both named " + quoted(member.column) +
                                           ", which member " + quoted(member.column) + " of " + plan_->cpp_name() +
                                           " asks for")
          .with_hint("give one of them another name with AS");
    }
    found = i;
  }
  if (found) return *found;
  std::vector<std::string_view> names;
  for (const FieldDescription& column : columns.fields()) names.push_back(column.name);
  std::string hint = did_you_mean(member.column, names);
  if (hint.empty()) hint = "select the column, name an expression with AS, or remove the member";
  return Error(ErrorKind::Mapping, "the result has no column " + quoted(member.column) + " for member " +
                                       quoted(member.column) + " of " + plan_->cpp_name() + " (" +
                                       member.cpp_name() + "); it has: " + list_columns(columns))
      .with_hint(std::move(hint));
}

const values::MemberPlan* RowTable::member_of(std::size_t column) const noexcept {
  const auto found = std::ranges::find(column_of_, column);
  return found == column_of_.end() ? nullptr
                                   : &plan_->members[static_cast<std::size_t>(found - column_of_.begin())];
}

RowTable::Way RowTable::way_of(const values::MemberPlan& member) noexcept {
  if (member.plain == values::Plain::boolean) return Way::boolean;
  if (member.plain == values::Plain::no) return Way::call;
  switch (member.width) {
    case 1: return Way::number1;
    case 2: return Way::number2;
    case 4: return Way::number4;
    case 8: return Way::number8;
    default: return Way::call;
  }
}

bool RowTable::decode(protocol::RowView row, void* object, MapError& error) const noexcept {
  std::size_t index = 0;
  try {
    if (static_cast<std::size_t>(row.count()) < slots_.size()) {
      error = {DecodeStatus::malformed, -1};
      return false;
    }
    protocol::FieldCursor cursor = row.fields();
    char* const base = static_cast<char*>(object);
    for (const Slot *slot = slots_.data(), *end = slot + slots_.size(); slot != end; ++slot, ++index) {
      char* const to = base + slot->offset;
      // What is not of the member's own width, NULL too, goes to the codec.
      switch (slot->way) {
        case Way::number1:
          if (take_number<std::uint8_t>(cursor, to)) continue;
          break;
        case Way::number2:
          if (take_number<std::uint16_t>(cursor, to)) continue;
          break;
        case Way::number4:
          if (take_number<std::uint32_t>(cursor, to)) continue;
          break;
        case Way::number8:
          if (take_number<std::uint64_t>(cursor, to)) continue;
          break;
        case Way::boolean:
          if (const char* value = cursor.next_of_size<1>()) {
            *to = static_cast<char>(*value != 0);
            continue;
          }
          break;
        case Way::call: break;
        case Way::skip: (void)cursor.next(); continue;
      }
      const protocol::FieldView field = cursor.next();
      const DecodeStatus status = slot->decode(field.data, field.size, slot->type, to);
      if (status != DecodeStatus::ok) [[unlikely]] {
        error = {cursor.failed() ? DecodeStatus::malformed : status, static_cast<std::int32_t>(index)};
        return false;
      }
    }
    if (cursor.failed()) [[unlikely]] {
      error = {DecodeStatus::malformed, -1};
      return false;
    }
    return true;
  } catch (const std::bad_alloc&) {
    error = {DecodeStatus::out_of_memory, static_cast<std::int32_t>(index)};
  } catch (...) {  // a codec of the program broke its promise
    error = {DecodeStatus::malformed, static_cast<std::int32_t>(index)};
  }
  return false;
}

Error RowTable::error(const MapError& error, std::uint64_t row_number) const {
  std::string message = "row " + std::to_string(row_number) + ": ";
  if (error.column < 0 || static_cast<std::size_t>(error.column) >= columns_->size()) {
    return Error(ErrorKind::Mapping, message + "its fields don't fit its length");
  }
  const FieldDescription& column = (*columns_)[static_cast<std::size_t>(error.column)];
  const values::MemberPlan* member = member_of(static_cast<std::size_t>(error.column));
  message += "column " + quoted(column.name) + " (" + type_name(column.type) + ") ";
  message += describe(error.status);
  if (member != nullptr) message += ", but " + describe_member(*plan_, *member);
  Error out(ErrorKind::Mapping, std::move(message));
  switch (error.status) {
    case DecodeStatus::null_value:
      return member == nullptr ? out : out.with_hint("use std::optional<" + member->cpp_name() + ">, or COALESCE");
    case DecodeStatus::null_element: return out.with_hint("make the element std::optional");
    case DecodeStatus::dimensions: return out.with_hint("use switchyard::Array");
    case DecodeStatus::not_text: return out.with_hint("cast the column: " + std::string(column.name) + "::text");
    default: return out;
  }
}

}  // namespace switchyard::inline v0
