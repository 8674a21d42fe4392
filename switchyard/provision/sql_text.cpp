#include <switchyard/provision/sql_text.hpp>

#include <algorithm>

namespace switchyard::inline v0::provision {

std::string name_sql(std::string_view name) {
  // Words of SQL that end in what our names end in are not known; all others are quoted.
  const bool plain = name.find('_') != std::string_view::npos && name.front() >= 'a' && name.front() <= 'z' &&
                     name != "current_user" && name != "session_user" && name != "current_role" &&
                     !name.starts_with("current_") && name != "system_user" &&
                     std::ranges::all_of(
                         name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
  if (plain) return std::string(name);
  std::string text = "\"";
  for (const char c : name) {
    if (c == '"') text += '"';
    text += c;
  }
  return text + '"';
}

std::string text_sql(std::string_view text) {
  std::string out = text.find('\\') == std::string_view::npos ? "'" : " E'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  return out + '\'';
}

std::string grantee_sql(std::string_view role) { return role.empty() ? "PUBLIC" : name_sql(role); }

std::string join(const std::vector<std::string>& words, std::string_view separator) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += separator;
    out += word;
  }
  return out;
}

}  // namespace switchyard::inline v0::provision
