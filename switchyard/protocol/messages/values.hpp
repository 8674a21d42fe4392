// Length-prefixed values, as Bind, FunctionCall and DataRow carry them.
#pragma once

#include <switchyard/protocol/body_reader.hpp>
#include <switchyard/protocol/row.hpp>

#include <cstddef>

namespace switchyard::inline v0::protocol {

/// Takes `count` values from the reader and returns their bytes, each with its length; fails the reader if one
/// does not fit.
[[nodiscard]] inline ByteView read_values(BodyReader& reader, std::size_t count) noexcept {
  BodyReader start = reader;
  const std::size_t before = reader.remaining();
  if (before / 4 < count) {
    reader.reject();
    return {};
  }
  for (std::size_t i = 0; i < count && !reader.failed(); ++i) {
    const auto length = reader.integer<std::int32_t>();
    if (length < -1) reader.reject();
    if (length > 0) (void)reader.bytes(static_cast<std::size_t>(length));
  }
  return reader.failed() ? ByteView() : start.bytes(before - reader.remaining());
}

/// `values` is exactly `count` length-prefixed values.
[[nodiscard]] inline bool values_fit(ByteView values, std::size_t count) noexcept {
  BodyReader reader(values);
  (void)read_values(reader, count);
  return reader.finished();
}

}  // namespace switchyard::inline v0::protocol
