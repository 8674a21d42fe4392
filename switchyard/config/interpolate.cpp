#include <switchyard/config/interpolate.hpp>

#include <switchyard/config/text_file.hpp>

#include <algorithm>

namespace switchyard::inline v0 {

Result<VaultReference> parse_vault_reference(std::string_view text) {
  const auto malformed = [](std::string_view why) {
    return Error(ErrorKind::Config, "malformed Vault reference: " + std::string(why))
        .with_hint("write ${vault:secret/commerce#db-password} or ${vault:secret/commerce/db-password}");
  };
  if (text.empty() || text.front() == '/' || text.back() == '/')
    return malformed("the path is empty or has a stray '/'");
  VaultReference out;
  if (const std::size_t hash = text.find('#'); hash != std::string_view::npos) {
    out.path = std::string(text.substr(0, hash));
    out.field = std::string(text.substr(hash + 1));
    if (out.path.empty() || out.field.empty() || out.path.back() == '/') return malformed("path#field needs both");
    return out;
  }
  const std::size_t slash = text.rfind('/');
  if (slash == std::string_view::npos) return malformed("there is no field");
  out.path = std::string(text.substr(0, slash));
  out.field = std::string(text.substr(slash + 1));
  out.whole_path = std::string(text);
  return out;
}

namespace config {
namespace {

bool is_variable_name(std::string_view name) {
  if (name.empty() || (name.front() >= '0' && name.front() <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

Error no_vault(const VaultReference& reference) {
  std::string what = "needs the field '" + reference.field + "' of '" + reference.path + "' in Vault";
  if (!reference.whole_path.empty()) what += " (or the only field of '" + reference.whole_path + "')";
  return Error(ErrorKind::Config, what + ", and no Vault client is available")
      .with_hint("use ${env:NAME} or ${file:/path} instead");
}

Result<void> expand(std::string_view inside, const InterpolationSources& sources, Interpolated& out) {
  if (inside.starts_with("file:")) {
    std::string path(inside.substr(5));
    if (!path.starts_with('/') && !sources.folder.empty()) path = sources.folder + "/" + path;
    auto contents = read_text_file(path);
    if (!contents.ok()) return contents.error();
    if (contents->ends_with('\n')) contents->pop_back();
    if (contents->ends_with('\r')) contents->pop_back();
    out.text += *contents;
    out.only_file = std::move(path);
    return {};
  }
  if (inside.starts_with("vault:")) {
    const auto reference = parse_vault_reference(inside.substr(6));
    if (!reference.ok()) return reference.error();
    if (!sources.vault) return no_vault(*reference);
    const auto secret = sources.vault(*reference);
    if (!secret.ok()) return secret.error();
    out.text += secret->reveal();
    return {};
  }
  const std::string_view name = inside.starts_with("env:") ? inside.substr(4) : inside;
  if (!is_variable_name(name)) {
    return Error(ErrorKind::Config, "malformed ${...}")
        .with_hint(
            "known forms are ${NAME}, ${env:NAME}, ${file:/path} and ${vault:path#field}; write $${ for a "
            "literal ${");
  }
  out.references.emplace_back(name);
  const std::optional<std::string> value = sources.variable(name);
  if (!value || value->empty()) {
    out.unset.emplace_back(name);
  } else {
    out.text += *value;
  }
  return {};
}

}  // namespace

Result<Interpolated> interpolate(std::string_view text, const InterpolationSources& sources) {
  Interpolated out;
  bool alone = true;  // the one ${...} is all there is
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t open = text.find("${", at);
    if (open == std::string_view::npos) {
      out.text += text.substr(at);
      break;
    }
    if (open > at && text[open - 1] == '$') {  // $${
      out.text += text.substr(at, open - at - 1);
      out.text += "${";
      at = open + 2;
      continue;
    }
    out.text += text.substr(at, open - at);
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos) return Error(ErrorKind::Config, "'${' without a closing '}'");
    out.interpolated = true;
    SY_TRY(expand(text.substr(open + 2, close - open - 2), sources, out));
    if (open != 0 || close + 1 != text.size()) alone = false;
    at = close + 1;
  }
  if (!alone) out.only_file.clear();
  return out;
}

}  // namespace config
}  // namespace switchyard::inline v0
