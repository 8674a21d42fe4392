#include <switchyard/gateway/database_name.hpp>

#include <algorithm>
#include <vector>

namespace switchyard::inline v0::gateway {
namespace {

constexpr std::string_view kRead = ":read";
constexpr std::string_view kReadView = "_replica";

std::string_view first_schema(std::string_view search_path) {
  std::string_view first = search_path.substr(0, search_path.find(','));
  const std::size_t begin = first.find_first_not_of(" \"");
  if (begin == std::string_view::npos) return {};
  return first.substr(begin, first.find_last_not_of(" \"") - begin + 1);
}

/// Keeps those for which `fits` holds, if there are any.
template <class Fits>
void prefer(std::vector<const DatabaseConfig*>& found, Fits fits) {
  if (found.size() < 2 || std::ranges::none_of(found, fits)) return;
  std::erase_if(found, [&](const DatabaseConfig* database) { return !fits(database); });
}

}  // namespace

Result<ClientDatabase> find_database(const FleetConfig& fleet, std::string_view dbname, std::string_view user,
                                     std::string_view search_path) {
  const bool read = dbname.ends_with(kRead);
  if (read) dbname.remove_suffix(kRead.size());
  const auto of = [&](const DatabaseConfig& database) {
    return ClientDatabase{&database, database.name + std::string(read ? kReadView : "")};
  };
  if (const DatabaseConfig* database = fleet.find(dbname)) return of(*database);

  std::vector<const DatabaseConfig*> found;
  for (const DatabaseConfig& database : fleet.databases) {
    if (database.configured() && database.primary.connection.dbname == dbname) found.push_back(&database);
  }
  const std::string_view schema = first_schema(search_path);
  prefer(found, [&](const DatabaseConfig* database) { return !schema.empty() && *database->schema == schema; });
  prefer(found, [&](const DatabaseConfig* database) { return database->primary.connection.user == user; });
  if (found.size() == 1) return of(*found.front());
  if (found.size() > 1) {
    std::string hint = "use one of these names:";
    for (const DatabaseConfig* database : found) hint += " " + database->name;
    return Error(ErrorKind::Config, "several databases of the fleet are called \"" + std::string(dbname) + "\"")
        .with_hint(std::move(hint));
  }
  Result<ResolvedName> resolved = fleet.resolve(dbname);
  if (!resolved.ok()) return resolved.error();
  return ClientDatabase{resolved->database, std::string(dbname)};
}

const DatabaseConfig* configured(const FleetConfig& fleet, const DatabaseConfig& database) noexcept {
  const DatabaseConfig* found = &database;
  if (!found->configured() && found->has_stand_in()) found = fleet.find(*found->when_unconfigured);
  return found != nullptr && found->configured() ? found : nullptr;
}

}  // namespace switchyard::inline v0::gateway
