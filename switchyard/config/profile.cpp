#include <switchyard/config/profile.hpp>

#include <switchyard/config/settings.hpp>

#include <algorithm>
#include <array>

namespace switchyard::inline v0::config {
namespace {

using std::chrono::seconds;

struct Numbers {
  std::string_view name;  // empty: any other database
  std::uint32_t min;
  std::uint32_t max;
  seconds acquire;
  seconds command;
};

constexpr std::array kWellwon{
    Numbers{"main", 20, 100, seconds(30), seconds(60)},
    Numbers{"reference", 10, 50, seconds(30), seconds(30)},
    Numbers{"", 5, 20, seconds(30), seconds(60)},
};

// The documents give a number (the maximum) and seconds (acquire and command).
constexpr std::array kParafort{
    Numbers{"main", 0, 20, seconds(30), seconds(30)},      Numbers{"analytics", 0, 15, seconds(45), seconds(45)},
    Numbers{"documents", 0, 25, seconds(60), seconds(60)}, Numbers{"compliance", 0, 10, seconds(30), seconds(30)},
    Numbers{"", 0, 20, seconds(30), seconds(30)},
};
constexpr Numbers kParafortReplica{"readReplica", 0, 30, seconds(20), seconds(20)};

constexpr std::array kGeneric{Numbers{"", 5, 20, seconds(30), seconds(60)}};

/// On a developer's machine: nothing is kept open, and little is opened.
constexpr std::uint32_t kDevelopmentMaximum = 5;

template <std::size_t N>
const Numbers& pick(const std::array<Numbers, N>& table, std::string_view name) {
  const auto* found = std::find_if(table.begin(), table.end(), [&](const Numbers& n) { return n.name == name; });
  return found == table.end() ? table.back() : *found;
}

Numbers numbers_of(const DatabaseConfig& database) {
  switch (database.profile) {
    case Profile::wellwon: return pick(kWellwon, database.name);
    case Profile::parafort: return pick(kParafort, database.name);
    case Profile::generic: break;
  }
  return pick(kGeneric, database.name);
}

/// Marks every setting as a default of this profile.
struct MarkOrigin {
  Profile profile;
  template <class T>
  void operator()(const std::string&, Setting<T>& setting) const {
    setting.origin.profile = profile;
  }
};

}  // namespace

bool is_parafort_name(std::string_view name) noexcept {
  return std::any_of(kParafort.begin(), kParafort.end(),
                     [&](const Numbers& n) { return !n.name.empty() && n.name == name; });
}

void apply_profile(DatabaseConfig& database, const FleetConfig& fleet) {
  const Numbers numbers = numbers_of(database);
  database.pool.min = numbers.min;
  database.pool.max = numbers.max;
  database.pool.acquire_timeout = Duration(numbers.acquire);
  database.command_timeout = Duration(numbers.command);
  database.application_name = fleet.application.value + "-" + database.name;
  database.required = database.name == "main";
  database.confidential = database.name == "compliance";
  const bool stands_behind_main = database.profile == Profile::parafort && database.name != "main";
  database.when_unconfigured = std::string(stands_behind_main ? "main" : "fail");
  // What is confidential is never kept elsewhere in the clear, so it fails unless somebody configures a key.
  database.when_down = stands_behind_main && !database.confidential ? WhenDown::spool : WhenDown::fail;
  MarkOrigin mark{database.profile};
  visit_database("", database, mark);
  if (fleet.server_type != ServerType::production) {
    database.pool.min = Setting<std::uint32_t>(
        0u, {Layer::profile, database.profile, "server_type " + std::string(to_string(*fleet.server_type)), {}});
    database.pool.max = Setting<std::uint32_t>(
        std::min(numbers.max, kDevelopmentMaximum),
        {Layer::profile, database.profile, "server_type " + std::string(to_string(*fleet.server_type)), {}});
  }
}

void apply_profile(ReplicaConfig& replica, const DatabaseConfig& database) {
  MarkOrigin mark{database.profile};
  visit_replica("", replica, mark);
  const auto inherited = [&](const auto& setting) {
    return std::remove_cvref_t<decltype(setting)>(
        setting.value, {Layer::profile, database.profile, "as database." + database.name, {}});
  };
  replica.pool.min = inherited(database.pool.min);
  replica.pool.max = inherited(database.pool.max);
  replica.pool.acquire_timeout = inherited(database.pool.acquire_timeout);
  replica.pool.idle_timeout = inherited(database.pool.idle_timeout);
  replica.pool.max_lifetime = inherited(database.pool.max_lifetime);
  replica.max_lag = inherited(database.max_lag);
  replica.command_timeout = inherited(database.command_timeout);
  if (replica.name == kParafortReplica.name) {
    const Origin origin{Layer::profile, Profile::parafort, {}, {}};
    replica.pool.min = Setting<std::uint32_t>(kParafortReplica.min, origin);
    replica.pool.max = Setting<std::uint32_t>(kParafortReplica.max, origin);
    replica.pool.acquire_timeout = Setting<Duration>(Duration(kParafortReplica.acquire), origin);
    replica.command_timeout = Setting<Duration>(Duration(kParafortReplica.command), origin);
  }
}

}  // namespace switchyard::inline v0::config
