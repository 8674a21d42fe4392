#include <switchyard/config/raw_value.hpp>

#include <switchyard/base/secret.hpp>
#include <switchyard/config/connection_string.hpp>

#include <algorithm>

namespace switchyard::inline v0::config {

std::string RawValue::display(ValueKind kind, std::string_view path) const {
  const auto quoted = [](std::string_view s) { return "\"" + std::string(s) + "\""; };
  if (kind == ValueKind::secret) return std::string(Secret("x").masked());
  if (kind == ValueKind::dsn) return quoted(redact_connection_string(text));
  if (kind == ValueKind::option && is_secret_keyword(path.substr(path.rfind('.') + 1))) {
    return std::string(Secret("x").masked());
  }
  switch (form) {
    case Form::integer: return std::to_string(integer);
    case Form::flag: return flag ? "true" : "false";
    case Form::list: {
      std::string out = "[";
      for (const std::string& item : list) out += (out.size() > 1 ? ", " : "") + quoted(item);
      return out + "]";
    }
    case Form::seconds: return text + " s";
    case Form::real: return text;
    case Form::text: break;
  }
  const bool plain = kind == ValueKind::count || kind == ValueKind::flag || kind == ValueKind::real;
  return plain ? text : quoted(text);
}

void Layers::add(std::string path, RawValue value) {
  auto& values = values_[std::move(path)];
  const auto behind =
      std::find_if(values.begin(), values.end(), [&](const RawValue& v) { return v.layer > value.layer; });
  values.insert(behind, std::move(value));
}

const std::vector<RawValue>& Layers::at(std::string_view path) const noexcept {
  static const std::vector<RawValue> none;
  const auto found = values_.find(path);
  return found == values_.end() ? none : found->second;
}

const RawValue* Layers::effective(std::string_view path) const noexcept {
  for (const RawValue& value : at(path)) {
    if (!value.absent()) return &value;
  }
  return nullptr;
}

}  // namespace switchyard::inline v0::config
