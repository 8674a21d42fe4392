// Rows to C++ values: structs by member name, tuples by position, single columns.
//
//   struct CustomsOffice { std::string code; std::optional<std::string> short_name; };
//   auto mapper = RowMapper<CustomsOffice>::make(description);   // checks every column before the first row
//   CustomsOffice office;
//   MapError problem;
//   if (!mapper->decode(row, office, problem)) throw mapper->error(problem, row_number);
//
// Rules (structs): each member needs a column of its name; a column that no member asks for is ignored, so that a
// program survives a column added to a table; two columns of the name a member asks for are an error. Tuples and
// single values: as many columns as elements. Types must fit without loss; NULL needs std::optional.
//
// RowTable, the part that works, is not a template: session and pool know it only.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/protocol/row.hpp>
#include <switchyard/values/codec.hpp>
#include <switchyard/values/codecs.hpp>
#include <switchyard/values/encode_counted.hpp>
#include <switchyard/values/members.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

namespace switchyard::inline v0 {

namespace values {

/// How the bytes of a value that has exactly the member's width become the member.
enum class Plain : std::uint8_t {
  no,       ///< only the codec knows
  number,   ///< they are the number's in network order
  boolean,  ///< one byte, 0 or 1
};

template <class Member>
[[nodiscard]] constexpr Plain plain() noexcept {
  if constexpr (std::is_same_v<Member, bool>) return Plain::boolean;
  if constexpr (is_fixed_number<Member> || Unsigned32<Member> || std::is_same_v<Member, char>) return Plain::number;
  return Plain::no;
}

/// What is known about one member (or tuple element, or the value itself) before any result is seen.
struct MemberPlan {
  std::string_view column;  ///< the column's name; empty where position decides
  std::size_t offset;       ///< in the object
  FieldDecoder decode;
  FieldDecoder decode_text;
  bool (*accepts)(Oid) noexcept;
  std::string (*cpp_name)();
  Oid oid;      ///< the PostgreSQL type that fits best, 0 if text
  Plain plain;  ///< in binary
  std::uint8_t width;
};

/// A C++ type that rows can be read into. One object per type, alive forever: its address identifies the type.
struct RowPlan {
  enum class Match : std::uint8_t { by_name, by_position };
  Match match;
  std::span<const MemberPlan> members;
  std::string (*cpp_name)();
};

template <class T>
inline constexpr bool is_tuple_like = false;
template <class... T>
inline constexpr bool is_tuple_like<std::tuple<T...>> = true;
template <class A, class B>
inline constexpr bool is_tuple_like<std::pair<A, B>> = true;

/// Rows are read into it by member name: a plain struct without a codec of its own.
template <class T>
concept ByName = requires { Codec<T>::is_composite; } || (!Decodable<T> && !is_tuple_like<T>);

template <class T>
struct HoldsViews
    : std::bool_constant<std::is_same_v<T, std::string_view> || std::is_same_v<T, std::span<const std::byte>>> {};
template <class T>
struct HoldsViews<std::optional<T>> : HoldsViews<T> {};
template <class T>
struct HoldsViews<std::vector<T>> : HoldsViews<T> {};
template <class... T>
struct HoldsViews<std::tuple<T...>> : std::disjunction<HoldsViews<T>...> {};
template <class A, class B>
struct HoldsViews<std::pair<A, B>> : std::disjunction<HoldsViews<A>, HoldsViews<B>> {};
template <class T>
  requires requires { Codec<T>::is_composite; }
struct HoldsViews<T> {
  static constexpr bool value = []<std::size_t... I>(std::index_sequence<I...>) {
    return (HoldsViews<MemberType<T, I>>::value || ...);
  }(std::make_index_sequence<member_count<T>()>());
};

template <class Member>
void check_member() {
  static_assert(!std::is_array_v<Member>,
                "a struct with a C array can't be mapped by member name: use std::vector, std::string or Bytes");
  static_assert(!std::is_unsigned_v<Member> || sizeof(Member) == 4 || std::is_same_v<Member, bool> ||
                    std::is_same_v<Member, char>,
                "PostgreSQL has no unsigned integers (but oid): use std::int64_t or std::int32_t");
  static_assert(!std::is_enum_v<Member> || HasEnumLabels<Member> || HasValueTrait<Member> || Decodable<Member>,
                "an enum needs its labels: specialise switchyard::EnumLabels");
  static_assert(Decodable<Member>, "no Codec reads a column into this type: see switchyard/values/codec.hpp");
}

template <class Member>
[[nodiscard]] MemberPlan make_member_plan(std::string_view column, std::size_t offset) {
  check_member<Member>();
  MemberPlan plan{column,
                  offset,
                  &decode_field<Member>,
                  &decode_text_field<Member>,
                  [](Oid type) noexcept { return Codec<Member>::accepts(type); },
                  &values::cpp_name<Member>,
                  oids::unspecified,
                  values::plain<Member>(),
                  plain<Member>() == Plain::no ? std::uint8_t{0} : static_cast<std::uint8_t>(sizeof(Member))};
  if constexpr (Encodable<Member>) plan.oid = Codec<Member>::oid;
  return plan;
}

template <class T>
[[nodiscard]] std::size_t offset_in(const T& object, const void* part) noexcept {
  return static_cast<std::size_t>(static_cast<const char*>(part) -
                                  static_cast<const char*>(static_cast<const void*>(&object)));
}

template <class T>
[[nodiscard]] std::vector<MemberPlan> make_member_plans() {
  std::vector<MemberPlan> plans;
  if constexpr (is_tuple_like<T>) {
    const T object{};
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (plans.push_back(make_member_plan<std::tuple_element_t<I, T>>({}, offset_in(object, &std::get<I>(object)))),
       ...);
    }(std::make_index_sequence<std::tuple_size_v<T>>());
  } else if constexpr (ByName<T>) {
    T object{};
    for_each_member(object, [&]<std::size_t kIndex, class Member>(Member& member) {
      plans.push_back(make_member_plan<Member>(kColumnNames<T>[kIndex], offset_in(object, &member)));
    });
  } else {
    plans.push_back(make_member_plan<T>({}, 0));
  }
  return plans;
}

/// The plan of T, made once.
template <class T>
[[nodiscard]] const RowPlan& row_plan() {
  static const std::vector<MemberPlan> members = make_member_plans<T>();
  static const RowPlan plan{ByName<T> ? RowPlan::Match::by_name : RowPlan::Match::by_position, members,
                            &values::cpp_name<T>};
  return plan;
}

}  // namespace values

/// Where a row did not fit.
struct MapError {
  DecodeStatus status = DecodeStatus::ok;
  std::int32_t column = -1;  ///< index into the result's columns
};

/// Decoders, offsets and columns of one C++ type and one result. Built once, then used for every row.
class SWITCHYARD_API RowTable {
 public:
  /// Checks the columns against the type. The formats are those of the description.
  [[nodiscard]] static Result<RowTable> build(const values::RowPlan& plan,
                                              std::shared_ptr<const protocol::RowDescription> columns);
  /// The same for a result whose columns all have this format, whatever the description says (a description of a
  /// statement, as opposed to one of a portal, always says text).
  [[nodiscard]] static Result<RowTable> build(const values::RowPlan& plan,
                                              std::shared_ptr<const protocol::RowDescription> columns,
                                              Format format);

  /// Fills the object, which must be of the plan's type. On failure parts of it may have been filled. Never throws:
  /// memory that runs out is a status.
  [[nodiscard]] bool decode(protocol::RowView row, void* object, MapError& error) const noexcept;

  /// The failure of row `row_number` (counted from 1) as an Error of kind Mapping that names row, column and types.
  [[nodiscard]] Error error(const MapError& error, std::uint64_t row_number) const;

  [[nodiscard]] const values::RowPlan& plan() const noexcept { return *plan_; }
  /// Rows are one value, read by this decoder.
  [[nodiscard]] bool is_single(values::FieldDecoder decoder) const noexcept {
    return columns_->size() == 1 && slots_.size() == 1 && slots_.front().decode == decoder;
  }

 private:
  /// The usual widths of plain members are read without a call.
  enum class Way : std::uint8_t { skip, call, number1, number2, number4, number8, boolean };
  /// What to do with the column of the same index.
  struct Slot {
    values::FieldDecoder decode = nullptr;
    std::uint32_t offset = 0;
    Oid type = 0;
    Way way = Way::skip;
  };
  [[nodiscard]] static Way way_of(const values::MemberPlan& member) noexcept;

  RowTable(const values::RowPlan& plan, std::shared_ptr<const protocol::RowDescription> columns) noexcept
      : plan_(&plan), columns_(std::move(columns)) {}
  [[nodiscard]] Result<void> bind(std::optional<Format> format);
  [[nodiscard]] Result<std::size_t> find_column(const values::MemberPlan& member) const;
  [[nodiscard]] const values::MemberPlan* member_of(std::size_t column) const noexcept;

  const values::RowPlan* plan_;
  std::shared_ptr<const protocol::RowDescription> columns_;
  std::vector<Slot> slots_;               // up to the last column that is wanted
  std::vector<std::uint32_t> column_of_;  // by member
};

/// RowTable for one T, with its type back.
template <class T>
class RowMapper {
 public:
  [[nodiscard]] static Result<RowMapper> make(std::shared_ptr<const protocol::RowDescription> columns) {
    return wrap(RowTable::build(values::row_plan<T>(), std::move(columns)));
  }
  [[nodiscard]] static Result<RowMapper> make(std::shared_ptr<const protocol::RowDescription> columns,
                                              Format format) {
    return wrap(RowTable::build(values::row_plan<T>(), std::move(columns), format));
  }

  [[nodiscard]] bool decode(protocol::RowView row, T& object, MapError& error) const noexcept {
    return table_.decode(row, &object, error);
  }
  [[nodiscard]] Error error(const MapError& error, std::uint64_t row_number) const {
    return table_.error(error, row_number);
  }
  [[nodiscard]] const RowTable& table() const noexcept { return table_; }
  /// Rows are one number in binary: RowRun::next_value() finds it, load() reads it.
  [[nodiscard]] bool is_number() const noexcept {
    return values::is_fixed_number<T> && table_.is_single(&values::decode_field<T>);
  }
  [[nodiscard]] static T load(const char* value) noexcept
    requires values::is_fixed_number<T>
  {
    return std::bit_cast<T>(base::load_be<values::BitsOf<T>>(value));
  }

 private:
  explicit RowMapper(RowTable table) noexcept : table_(std::move(table)) {}
  static Result<RowMapper> wrap(Result<RowTable> table) {
    if (!table) return table.error();
    return RowMapper(*std::move(table));
  }

  RowTable table_;
};

/// Refuses at compile time to keep T longer than the row it was read from, as query<T> does.
template <class T>
consteval void require_owning() {
  static_assert(!values::HoldsViews<T>::value,
                "query<T> returns rows after their bytes have gone: T must own its data (std::string instead of "
                "std::string_view, Bytes instead of std::span); views are for stream<T>");
}

}  // namespace switchyard::inline v0
