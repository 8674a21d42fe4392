// Rows and descriptions of results made by hand. Header only: needs the rooms protocol and values.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/protocol/row.hpp>
#include <switchyard/values/codecs.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::testing {

struct Column {
  std::string_view name;
  Oid type;
  Format format = Format::binary;
};

inline std::shared_ptr<const protocol::RowDescription> describe_columns(std::vector<Column> columns) {
  std::vector<protocol::FieldDescription> fields;
  for (const Column& column : columns) {
    protocol::FieldDescription field;
    field.name = column.name;
    field.type = column.type;
    field.format = static_cast<std::int16_t>(column.format);
    fields.push_back(field);
  }
  return protocol::RowDescription::make(fields);
}

/// The fields of one DataRow.
class RowBytes {
 public:
  RowBytes& null() {
    ++count_;
    bytes_.put_i32(-1);
    return *this;
  }
  RowBytes& raw(std::string_view bytes) {
    ++count_;
    bytes_.put_i32(static_cast<std::int32_t>(bytes.size()));
    bytes_.put(bytes);
    return *this;
  }
  template <class T>
  RowBytes& value(const T& value) {
    base::WriteBuffer field;
    (void)Codec<T>::encode(field, value);
    return raw(field.view());
  }
  [[nodiscard]] protocol::RowView view() const { return {bytes_.view(), count_}; }

 private:
  base::WriteBuffer bytes_;
  int count_ = 0;
};

template <class T>
std::string encoded(const T& value) {
  base::WriteBuffer out;
  EXPECT_EQ(Codec<T>::encode(out, value), EncodeStatus::ok);
  return std::string(out.view());
}

template <class T>
std::optional<T> decoded(std::string_view bytes, Oid type) {
  T value{};
  if (!Codec<T>::accepts(type) || Codec<T>::decode(bytes, type, value) != DecodeStatus::ok) return std::nullopt;
  return value;
}

template <class T>
std::optional<T> decoded_text(std::string_view text, Oid type) {
  T value{};
  if (!Codec<T>::accepts(type) || Codec<T>::decode_text(text, type, value) != DecodeStatus::ok) return std::nullopt;
  return value;
}

inline std::string text_of(Oid type, std::string_view bytes) {
  std::string out;
  return append_text(out, type, bytes) ? out : "(no text)";
}

}  // namespace switchyard::testing
