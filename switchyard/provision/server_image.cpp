#include <switchyard/provision/server_image.hpp>

#include <algorithm>

namespace switchyard::inline v0::provision {

namespace {

constexpr std::int32_t kNobodyCreatesInPublic = 150000;  // since PostgreSQL 15

}  // namespace

const RoleImage* ServerImage::role(std::string_view name) const noexcept {
  const auto at = std::ranges::find(roles, name, &RoleImage::name);
  return at == roles.end() ? nullptr : &*at;
}

const DatabaseImage* ServerImage::database(std::string_view name) const noexcept {
  const auto at = std::ranges::find(databases, name, &DatabaseImage::name);
  return at == databases.end() ? nullptr : &*at;
}

std::optional<std::string> ServerImage::setting(std::string_view role, std::string_view database,
                                                std::string_view name) const {
  for (const SettingImage& one : settings) {
    if (one.role == role && one.database == database && one.name == name) return one.value;
  }
  return std::nullopt;
}

ContentImage fresh_contents(std::string database, std::int32_t version) {
  ContentImage image;
  image.database = std::move(database);
  SchemaImage schema;
  schema.name = "public";
  schema.owner = version >= kNobodyCreatesInPublic ? "pg_database_owner" : "postgres";
  schema.privileges.push_back({"", "USAGE"});
  if (version < kNobodyCreatesInPublic) schema.privileges.push_back({"", "CREATE"});
  image.schemas.push_back(std::move(schema));
  return image;
}

}  // namespace switchyard::inline v0::provision
