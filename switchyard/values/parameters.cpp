#include <switchyard/values/parameters.hpp>

#include <switchyard/values/codec_text.hpp>

#include <algorithm>
#include <string>

namespace switchyard::inline v0 {

void Parameters::begin(std::span<const Oid> types, std::span<const std::int16_t> formats) noexcept {
  bytes_.clear();
  types_ = types;
  formats_ = formats;
  appended_ = 0;
  failed_at_ = 0;
  failure_ = EncodeStatus::ok;
  // One format code stands for all parameters if they agree (Bind, manual chapter 55.7).
  const bool same = !formats.empty() && std::ranges::all_of(formats, [&](auto f) { return f == formats.front(); });
  const std::span<const std::int16_t> sent = same ? formats.first(1) : formats;
  bytes_.put_u16(static_cast<std::uint16_t>(sent.size()));
  for (std::int16_t format : sent) bytes_.put_i16(format);
  bytes_.put_u16(static_cast<std::uint16_t>(types.size()));
}

void Parameters::append_null() noexcept {
  ++appended_;
  bytes_.put_i32(-1);
}

void Parameters::close(std::size_t mark, EncodeStatus status) noexcept {
  ++appended_;
  if (bytes_.failed()) {
    if (failed_at_ == 0) failed_at_ = appended_;
    return;
  }
  const std::size_t size = bytes_.mark() - mark - 4;
  if (status != EncodeStatus::ok || size > kMaxValueBytes) {
    if (failed_at_ == 0) {
      failed_at_ = appended_;
      failure_ = status;
    }
    // What is behind a failure is not sent: no reason to keep it.
    bytes_.truncate(mark + 4);
    return;
  }
  bytes_.patch_i32(mark, static_cast<std::int32_t>(size));
}

Result<void> Parameters::finish() {
  if (failed_at_ == 0 && !bytes_.failed() && bytes_.size() <= kMaxValueBytes) return {};
  std::string message;
  if (failed_at_ == 0) {
    message = bytes_.failed() ? "out of memory for the parameters"
                              : "the parameters together are larger than 1 GB, the limit of a message";
  } else {
    message = "parameter $" + std::to_string(failed_at_) + " ";
    if (bytes_.failed()) {
      message += "does not fit into memory";
    } else if (failure_ == EncodeStatus::ok) {
      message += "is larger than 1 GB, the limit of a PostgreSQL value";
    } else {
      message += describe(failure_);
    }
  }
  clear();
  return Error(ErrorKind::Usage, std::move(message));
}

Result<void> Parameters::encode_texts(std::span<const std::optional<std::string_view>> texts) {
  if (texts.size() > kMaxParameters) {
    clear();
    return Error(ErrorKind::Usage, std::to_string(texts.size()) + " parameters given, a statement has at most " +
                                       std::to_string(kMaxParameters));
  }
  own_types_.assign(texts.size(), oids::unspecified);
  own_formats_.assign(texts.size(), kText);
  begin(own_types_, own_formats_);
  for (const auto& text : texts) append<std::optional<std::string_view>>(text);
  return finish();
}

namespace {

/// True if `values` are exactly `count` values with their lengths.
bool are_values(ByteView values, std::size_t count) noexcept {
  for (; count > 0; --count) {
    if (values.size() < 4) return false;
    const auto size = base::load_be<std::int32_t>(values.data());
    values.remove_prefix(4);
    if (size < 0) {
      if (size != -1) return false;
      continue;
    }
    if (static_cast<std::size_t>(size) > values.size()) return false;
    values.remove_prefix(static_cast<std::size_t>(size));
  }
  return values.empty();
}

}  // namespace

Result<void> Parameters::restore(std::span<const Oid> types, std::span<const std::int16_t> formats,
                                 ByteView values) {
  clear();
  const bool known = std::ranges::all_of(formats, [](std::int16_t f) { return f == kText || f == kBinary; });
  if (types.size() != formats.size() || types.size() > kMaxParameters || !known ||
      !are_values(values, types.size())) {
    return Error(ErrorKind::Usage, "kept parameters do not belong together");
  }
  own_types_.assign(types.begin(), types.end());
  own_formats_.assign(formats.begin(), formats.end());
  begin(own_types_, own_formats_);
  bytes_.put(values);
  return finish();
}

void Parameters::clear() noexcept {
  bytes_.clear();
  types_ = {};
  formats_ = {};
}

void Parameters::shrink(std::size_t keep) noexcept {
  if (bytes_.capacity() <= keep) return;
  bytes_ = base::WriteBuffer();
  clear();
}

}  // namespace switchyard::inline v0
