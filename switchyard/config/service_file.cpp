#include <switchyard/config/service_file.hpp>

#include <switchyard/base/ascii.hpp>
#include <switchyard/base/suggest.hpp>
#include <switchyard/config/text_file.hpp>

#include <unistd.h>

#include <algorithm>

namespace switchyard::inline v0::config {
namespace {

/// Where Debian's libpq looks when PGSYSCONFDIR is not set.
constexpr std::string_view kSystemFolder = "/etc/postgresql-common";

Error line_error(const std::string& path, int line, const std::string& what) {
  return Error(ErrorKind::Config, "service file " + path + ":" + std::to_string(line) + ": " + what);
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

}  // namespace

Result<std::optional<std::vector<ConnectionKeyword>>> find_service(std::string_view contents,
                                                                   std::string_view service,
                                                                   const std::string& path) {
  std::vector<ConnectionKeyword> out;
  bool found = false;
  int number = 0;
  while (!contents.empty()) {
    const std::size_t end = std::min(contents.find('\n'), contents.size());
    std::string_view line = contents.substr(0, end);
    contents.remove_prefix(std::min(end + 1, contents.size()));
    ++number;
    while (!line.empty() && base::is_space(line.back())) line.remove_suffix(1);
    while (!line.empty() && base::is_space(line.front())) line.remove_prefix(1);
    if (line.empty() || line.front() == '#') continue;
    if (line.front() == '[') {
      if (found) break;  // the end of our section
      found = line.size() > service.size() + 1 && line.substr(1, service.size()) == service &&
              line[service.size() + 1] == ']';
      continue;
    }
    if (!found) continue;
    if (line.starts_with("ldap")) return line_error(path, number, "LDAP lookup of services is not supported");
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return line_error(path, number, "'=' is missing");
    const std::string_view keyword = line.substr(0, equals);
    if (keyword == "service" || keyword == "servicefile") {
      return line_error(path, number, "a service can't refer to another service");
    }
    const auto& known = connection_keywords();
    if (std::find(known.begin(), known.end(), keyword) == known.end()) {
      return line_error(path, number, "unknown option '" + std::string(keyword) + "'")
          .with_hint(did_you_mean(keyword, known));
    }
    const bool repeated =
        std::any_of(out.begin(), out.end(), [&](const ConnectionKeyword& k) { return k.keyword == keyword; });
    if (!repeated)
      out.push_back({std::string(keyword), std::string(line.substr(equals + 1)), 0});  // the first wins
  }
  if (!found) return std::optional<std::vector<ConnectionKeyword>>();
  return std::optional(std::move(out));
}

Result<std::vector<ConnectionKeyword>> load_service(const std::string& service, const std::string& servicefile,
                                                    const ConnectionEnvironment& environment) {
  std::vector<std::string> files;
  std::string own = servicefile;
  if (own.empty() && !environment.home_directory.empty()) {
    const std::string path = environment.home_directory + "/.pg_service.conf";
    if (exists(path)) own = path;
  }
  if (!own.empty()) files.push_back(own);
  const auto folder = environment.variables.find("PGSYSCONFDIR");
  const std::string system =
      (folder != environment.variables.end() ? folder->second : std::string(kSystemFolder)) + "/pg_service.conf";
  if (exists(system)) files.push_back(system);

  for (const std::string& file : files) {
    auto text = read_text_file(file);
    if (!text.ok()) return text.error().with_context("service '" + service + "'");
    auto options = find_service(*text, service, file);
    if (!options.ok()) return options.error();
    if (options->has_value()) return *std::move(*options);
  }
  std::string looked;
  for (const std::string& file : files) looked += (looked.empty() ? "" : ", ") + file;
  return Error(ErrorKind::Config, "service '" + service + "' is not defined")
      .with_hint(looked.empty() ? "no service file was found: create ~/.pg_service.conf or set PGSERVICEFILE"
                                : "looked in " + looked);
}

}  // namespace switchyard::inline v0::config
