// Plain structs as composites: a column of a row type is read into a struct member, field by field in the order of
// declaration. (A whole row is read into a struct by column names: row_mapper.hpp.)
#pragma once

#include <switchyard/values/codec.hpp>
#include <switchyard/values/literal.hpp>
#include <switchyard/values/members.hpp>
#include <switchyard/values/render.hpp>

#include <type_traits>

namespace switchyard::inline v0 {

namespace values {

/// A struct that may travel as a composite. Whether its members can is found when it is used.
template <class T>
concept Composite = std::is_class_v<T> && std::is_aggregate_v<T> && !std::is_union_v<T> && !HasValueTrait<T>;

}  // namespace values

template <class T>
  requires values::Composite<T>
struct Codec<T> {
  static constexpr bool is_composite = true;
  // A row type has no identifier that is known here, and its binary form names the types of its fields: as a
  // parameter it is sent as text, "(1,abc)", which the server reads as whatever row type the statement asks for.
  static constexpr Oid oid = oids::unspecified;
  static constexpr Oid array_oid = oids::unspecified;

  static bool accepts(Oid type) noexcept { return type == oids::record || is_user_type(type); }

  static EncodeStatus encode(base::WriteBuffer& out, const T& value) {
    EncodeStatus status = EncodeStatus::ok;
    std::string literal = "(";
    values::for_each_member(value, [&]<std::size_t kIndex>(const auto& member) {
      if (kIndex != 0) literal += ',';
      if (status == EncodeStatus::ok) status = values::append_record_field(literal, member);
    });
    literal += ')';
    out.put(literal);
    return status;
  }

  static DecodeStatus decode(ByteView bytes, Oid, T& value) {
    values::RecordReader reader(bytes);
    if (reader.fields() < 0) return DecodeStatus::malformed;
    if (static_cast<std::size_t>(reader.fields()) != values::member_count<T>()) return DecodeStatus::field_count;
    DecodeStatus status = DecodeStatus::ok;
    values::for_each_member(value, [&]<std::size_t kIndex, class Member>(Member& member) {
      if (status != DecodeStatus::ok) return;
      Oid type = 0;
      ByteView field;
      std::int32_t size = 0;
      if (!reader.next(type, field, size)) {
        status = DecodeStatus::malformed;
      } else if (!Codec<Member>::accepts(type)) {
        status = DecodeStatus::element_type;
      } else {
        status = values::decode_field<Member>(field.data(), size, type, &member);
        if (status == DecodeStatus::null_value) status = DecodeStatus::null_element;
      }
    });
    if (status == DecodeStatus::ok && !reader.done()) status = DecodeStatus::malformed;
    return status;
  }

  static DecodeStatus decode_text(ByteView text, Oid, T& value) {
    values::RecordLiteral literal(text);
    DecodeStatus status = DecodeStatus::ok;
    values::for_each_member(value, [&]<std::size_t kIndex, class Member>(Member& member) {
      if (status != DecodeStatus::ok) return;
      std::string_view field;
      std::int32_t size = 0;
      switch (literal.next(field, size)) {
        case values::RecordLiteral::Step::field:
          // The literal does not say its fields' types: they are read as the members' own.
          status = values::decode_text_field<Member>(field.data(), size, Codec<Member>::oid, &member);
          if (status == DecodeStatus::null_value) status = DecodeStatus::null_element;
          break;
        case values::RecordLiteral::Step::end: status = DecodeStatus::field_count; break;
        case values::RecordLiteral::Step::malformed: status = DecodeStatus::malformed; break;
      }
    });
    if (status != DecodeStatus::ok) return status;
    std::string_view field;
    std::int32_t size = 0;
    switch (literal.next(field, size)) {
      case values::RecordLiteral::Step::end: return DecodeStatus::ok;
      case values::RecordLiteral::Step::field: return DecodeStatus::field_count;
      case values::RecordLiteral::Step::malformed: break;
    }
    return DecodeStatus::malformed;
  }
};

}  // namespace switchyard::inline v0
