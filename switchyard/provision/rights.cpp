#include <switchyard/provision/rights.hpp>

#include <switchyard/provision/sql_text.hpp>

#include <algorithm>
#include <set>

namespace switchyard::inline v0::provision {

namespace {

constexpr std::int32_t kGrantsHaveOptions = 160000;

class Rights {
 public:
  Rights(const DesiredServer& desired, const ServerImage& image, const std::vector<Step>& steps)
      : desired_(desired), image_(image), me_(name_sql(image.current_user)) {
    for (const Step& step : steps) {
      if (!step.confirm) steps_.push_back(&step);
    }
  }

  std::vector<std::string> missing() {
    const RoleImage* self = image_.role(image_.current_user);
    const bool makes_roles = self != nullptr && self->create_role;
    if (any(Phase::roles) && !makes_roles) lacks("make and change roles", "ALTER ROLE " + me_ + " CREATEROLE");
    if (any(Phase::databases) && (self == nullptr || !self->create_database)) {
      lacks("make databases", "ALTER ROLE " + me_ + " CREATEDB");
    }
    if (makes_roles) look_at_roles();
    for (const DesiredDatabase& database : desired_.databases) look_at_database(database);
    return std::move(missing_);
  }

 private:
  [[nodiscard]] bool any(Phase phase) const {
    return std::ranges::any_of(steps_, [&](const Step* step) { return step->phase == phase; });
  }

  void lacks(const std::string& what, const std::string& statement) {
    missing_.push_back(image_.current_user + " may not " + what + ": " + statement);
  }

  /// Those that were here before.
  void look_at_roles() {
    std::set<std::string> told;
    for (const Step* step : steps_) {
      const bool system = step->role.starts_with("pg_");
      const RoleImage* role = image_.role(step->role);
      const bool given = system ? image_.version < kGrantsHaveOptions : role == nullptr || role->administered;
      if (step->role.empty() || given || !told.insert(step->role).second) continue;
      lacks("change the role " + step->role,
            role != nullptr && role->superuser
                ? "ALTER ROLE " + name_sql(step->role) + " NOSUPERUSER"
                : "GRANT " + name_sql(step->role) + " TO " + me_ + " WITH ADMIN OPTION");
    }
  }

  void look_at_database(const DesiredDatabase& database) {
    const DatabaseImage* there = image_.database(database.name);
    const bool works = std::ranges::any_of(steps_, [&](const Step* step) {
      return step->phase == Phase::contents && step->database == database.name;
    });
    if (there == nullptr || !works || there->owner == image_.current_user) return;
    const RoleImage* owner = image_.role(there->owner);
    if (owner != nullptr && owner->acted_as) return;
    lacks("provision the database " + database.name + " of " + there->owner,
          "ALTER DATABASE " + name_sql(database.name) + " OWNER TO " + me_);
  }

  const DesiredServer& desired_;
  const ServerImage& image_;
  const std::string me_;
  std::vector<const Step*> steps_;
  std::vector<std::string> missing_;
};

}  // namespace

std::vector<std::string> missing_rights(const DesiredServer& desired, const ServerImage& image,
                                        const std::vector<Step>& steps) {
  if (image.superuser) return {};
  return Rights(desired, image, steps).missing();
}

}  // namespace switchyard::inline v0::provision
