#include <switchyard/config/password_file.hpp>

#include <sys/stat.h>

#include <switchyard/config/text_file.hpp>

namespace switchyard::inline v0::config {
namespace {

/// The rest of `line` behind its first field if that field matches `wanted`.
std::optional<std::string_view> match_field(std::string_view line, std::string_view wanted) {
  if (line.starts_with("*:")) return line.substr(2);
  std::size_t at = 0, matched = 0;
  while (at < line.size()) {
    if (line[at] == ':' && matched == wanted.size()) return line.substr(at + 1);
    if (line[at] == '\\') ++at;
    if (at == line.size() || matched == wanted.size() || line[at] != wanted[matched]) return std::nullopt;
    ++at;
    ++matched;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Secret> find_password(std::string_view contents, const PasswordQuery& query) {
  while (!contents.empty()) {
    const std::size_t end = std::min(contents.find('\n'), contents.size());
    std::string_view line = contents.substr(0, end);
    contents.remove_prefix(std::min(end + 1, contents.size()));
    while (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    std::optional<std::string_view> rest = match_field(line, query.host);
    if (rest) rest = match_field(*rest, query.port);
    if (rest) rest = match_field(*rest, query.dbname);
    if (rest) rest = match_field(*rest, query.user);
    if (!rest) continue;
    std::string password;
    for (std::size_t i = 0; i < rest->size() && (*rest)[i] != ':'; ++i) {
      if ((*rest)[i] == '\\' && i + 1 < rest->size()) ++i;
      password += (*rest)[i];
    }
    return Secret(std::move(password));
  }
  return std::nullopt;
}

PasswordFile read_password_file(const std::string& path) {
  struct stat info{};
  if (path.empty() || ::stat(path.c_str(), &info) != 0) return {};
  if (!S_ISREG(info.st_mode)) return {std::nullopt, "password file \"" + path + "\" is not a plain file"};
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return {std::nullopt, "password file \"" + path +
                              "\" has group or world access and is not used; run: chmod 0600 '" + path + "'"};
  }
  auto text = read_text_file(path);
  if (!text.ok()) return {std::nullopt, std::string(text.error().message())};
  return {Secret(*std::move(text)), {}};
}

}  // namespace switchyard::inline v0::config
