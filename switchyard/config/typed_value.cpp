#include <switchyard/config/typed_value.hpp>

#include <switchyard/base/suggest.hpp>
#include <switchyard/base/units.hpp>
#include <switchyard/config/connection_string.hpp>

#include <charconv>
#include <cmath>
#include <sstream>

namespace switchyard::inline v0::config {
namespace {

/// The value for messages: a text that came out of ${...} may be a secret.
std::string named(const RawValue& raw) {
  if (!raw.interpolated) return "'" + raw.text + "'";
  std::string out = "the value of";
  for (const std::string& variable : raw.references) out += " ${" + variable + "}";
  return raw.references.empty() ? "the value" : out;
}

Error wrong(const RawValue& raw, std::string_view what, std::string hint = {}) {
  return Error(ErrorKind::Config, named(raw) + " " + std::string(what)).with_hint(std::move(hint));
}

std::string number(double value) {
  std::ostringstream out;
  out.precision(15);
  out << value;
  return out.str();
}

std::string limits(const KeySpec& spec) { return "from " + number(spec.min) + " to " + number(spec.max); }

Result<std::int64_t> whole(const RawValue& raw, const KeySpec& spec) {
  std::int64_t value = raw.integer;
  if (raw.form != RawValue::Form::integer) {
    const auto [end, ec] = std::from_chars(raw.text.data(), raw.text.data() + raw.text.size(), value);
    if (ec != std::errc() || end != raw.text.data() + raw.text.size() || raw.text.empty()) {
      return wrong(raw, "is not a whole number", "expected a whole number " + limits(spec));
    }
  }
  if (value < 0 && spec.min >= 0) return wrong(raw, "is negative", "expected a whole number " + limits(spec));
  if (static_cast<double>(value) < spec.min || static_cast<double>(value) > spec.max) {
    return wrong(raw, "is out of range", "expected a whole number " + limits(spec));
  }
  return value;
}

template <class E>
Result<void> choice(const RawValue& raw, const KeySpec& spec, std::initializer_list<E> values, E& out) {
  std::vector<std::string_view> words;
  std::string list;
  for (E value : values) {
    if (to_string(value) == raw.text) {
      out = value;
      return {};
    }
    words.push_back(to_string(value));
    list += (list.empty() ? "" : ", ") + std::string(to_string(value));
  }
  (void)spec;
  const std::string suggestion = did_you_mean(raw.text, words);
  return wrong(raw, "is not one of " + list, suggestion);
}

}  // namespace

Result<void> convert(const RawValue& raw, const KeySpec&, bool& out) {
  if (raw.form == RawValue::Form::flag) {
    out = raw.flag;
    return {};
  }
  if (raw.text != "true" && raw.text != "false") return wrong(raw, "is neither true nor false");
  out = raw.text == "true";
  return {};
}

Result<void> convert(const RawValue& raw, const KeySpec& spec, std::uint32_t& out) {
  const auto value = whole(raw, spec);
  if (!value.ok()) return value.error();
  out = static_cast<std::uint32_t>(*value);
  return {};
}

Result<void> convert(const RawValue& raw, const KeySpec& spec, std::uint64_t& out) {
  if (raw.form == RawValue::Form::integer) {
    if (raw.integer < 0) return wrong(raw, "is negative");
    out = static_cast<std::uint64_t>(raw.integer);
    return {};
  }
  const auto size = parse_size(raw.text);
  if (!size.ok()) return wrong(raw, "is not a size", std::string(size.error().hint()));
  (void)spec;
  out = *size;
  return {};
}

Result<void> convert(const RawValue& raw, const KeySpec& spec, double& out) {
  double value = raw.real;
  if (raw.form == RawValue::Form::text) {
    const auto [end, ec] = std::from_chars(raw.text.data(), raw.text.data() + raw.text.size(), value);
    if (ec != std::errc() || end != raw.text.data() + raw.text.size()) return wrong(raw, "is not a number");
  }
  if (!std::isfinite(value) || value < spec.min || value > spec.max) {
    return wrong(raw, "is out of range", "expected a number " + limits(spec));
  }
  out = value;
  return {};
}

Result<void> convert(const RawValue& raw, const KeySpec&, Duration& out) {
  const bool seconds = raw.form == RawValue::Form::seconds;
  if (raw.text.starts_with('-')) return wrong(raw, "is negative");
  const auto value = seconds ? parse_seconds(raw.text) : parse_duration(raw.text);
  if (!value.ok())
    return wrong(raw, seconds ? "is not a number of seconds" : "is not a duration",
                 std::string(value.error().hint()));
  out = *value;
  return {};
}

Result<void> convert(const RawValue& raw, const KeySpec&, std::string& out) {
  out = raw.text;
  return {};
}

Result<void> convert(const RawValue& raw, const KeySpec&, Secret& out) {
  out = Secret(raw.text);
  return {};
}

Result<void> convert(const RawValue& raw, const KeySpec&, std::vector<std::string>& out) {
  out = raw.list;
  if (raw.form == RawValue::Form::list) return {};
  for (std::string_view rest = raw.text; !rest.empty();) {  // "api,jobs"
    const std::size_t comma = rest.find(',');
    std::string_view item = rest.substr(0, comma);
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (!item.empty()) out.emplace_back(item);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  return {};
}

Result<void> convert(const RawValue& raw, const KeySpec& spec, LaneMode& out) {
  return choice(raw, spec, {LaneMode::automatic, LaneMode::leased}, out);
}

Result<void> convert(const RawValue& raw, const KeySpec& spec, WhenDown& out) {
  return choice(raw, spec, {WhenDown::fail, WhenDown::read_fallback, WhenDown::spool}, out);
}
Result<void> convert(const RawValue& raw, const KeySpec& spec, ServerType& out) {
  return choice(raw, spec, {ServerType::production, ServerType::development, ServerType::test}, out);
}
Result<void> convert(const RawValue& raw, const KeySpec& spec, OwnerCheck& out) {
  return choice(raw, spec, {OwnerCheck::automatic, OwnerCheck::off, OwnerCheck::warn, OwnerCheck::fail}, out);
}
Result<void> convert(const RawValue& raw, const KeySpec& spec, RoleFamily& out) {
  return choice(raw, spec, {RoleFamily::documents, RoleFamily::family}, out);
}
Result<void> convert(const RawValue& raw, const KeySpec& spec, PoolMode& out) {
  return choice(raw, spec, {PoolMode::automatic, PoolMode::session, PoolMode::transaction}, out);
}
Result<void> convert(const RawValue& raw, const KeySpec& spec, ReadConsistency& out) {
  return choice(raw, spec, {ReadConsistency::session, ReadConsistency::strict}, out);
}
Result<void> convert(const RawValue& raw, const KeySpec& spec, SequenceMode& out) {
  return choice(raw, spec, {SequenceMode::follow, SequenceMode::pin}, out);
}
Result<void> convert(const RawValue& raw, const KeySpec& spec, AuditLog& out) {
  return choice(raw, spec, {AuditLog::off, AuditLog::ddl, AuditLog::mod, AuditLog::all}, out);
}

namespace {
std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }
}  // namespace

std::string show(bool value, const KeySpec&, std::string_view) { return value ? "true" : "false"; }
std::string show(std::uint32_t value, const KeySpec&, std::string_view) { return std::to_string(value); }
std::string show(std::uint64_t value, const KeySpec&, std::string_view) { return quoted(format_size(value)); }
std::string show(double value, const KeySpec&, std::string_view) { return number(value); }
std::string show(Duration value, const KeySpec&, std::string_view) { return quoted(format_duration(value)); }
std::string show(const std::string& value, const KeySpec&, std::string_view) { return quoted(value); }
std::string show(const Secret& value, const KeySpec& spec, std::string_view path) {
  if (value.empty()) return quoted("");
  if (spec.kind == ValueKind::dsn) return quoted(redact_connection_string(value.reveal()));
  if (spec.kind == ValueKind::option && !is_secret_keyword(path.substr(path.rfind('.') + 1))) {
    return quoted(value.reveal());
  }
  return std::string(value.masked());
}
std::string show(const std::vector<std::string>& value, const KeySpec&, std::string_view) {
  std::string out = "[";
  for (const std::string& item : value) out += (out.size() > 1 ? ", " : "") + quoted(item);
  return out + "]";
}
std::string show(LaneMode value, const KeySpec&, std::string_view) { return quoted(to_string(value)); }
std::string show(WhenDown value, const KeySpec&, std::string_view) { return quoted(to_string(value)); }
std::string show(ServerType value, const KeySpec&, std::string_view) { return quoted(to_string(value)); }
std::string show(RoleFamily value, const KeySpec&, std::string_view) { return quoted(to_string(value)); }
std::string show(OwnerCheck value, const KeySpec&, std::string_view) { return quoted(to_string(value)); }
std::string show(PoolMode value, const KeySpec&, std::string_view) { return quoted(to_string(value)); }
std::string show(ReadConsistency value, const KeySpec&, std::string_view) { return quoted(to_string(value)); }
std::string show(SequenceMode value, const KeySpec&, std::string_view) { return quoted(to_string(value)); }
std::string show(AuditLog value, const KeySpec&, std::string_view) { return quoted(to_string(value)); }

}  // namespace switchyard::inline v0::config
