#include "fleet_choice.hpp"

#include "seeds.hpp"

#include <switchyard/base/suggest.hpp>
#include <switchyard/config/load.hpp>

#include <algorithm>
#include <filesystem>

namespace switchyard::cli {

namespace {

Sources sources_of(const GlobalOptions& options) {
  Sources sources = process_sources();
  if (options.config) sources.file = *options.config;
  if (options.env_file) sources.dotenv_path = *options.env_file;
  for (const auto& [key, value] : options.settings) sources.command_line.push_back({key, value});
  return sources;
}

void use_demonstration(Sources& sources) {
  sources.file = "demonstration";
  sources.file_text = std::string(demonstration_config());
}

Error several(const std::vector<RunningFleet>& fleets) {
  std::string names;
  for (const RunningFleet& fleet : fleets) names += (names.empty() ? "" : ", ") + fleet.application;
  return Error(ErrorKind::Usage, "several fleets run: " + names).with_hint("say which: --application NAME");
}

Error no_such_fleet(const std::string& name, const std::vector<RunningFleet>& fleets) {
  std::vector<std::string_view> names;
  for (const RunningFleet& fleet : fleets) names.emplace_back(fleet.application);
  const std::string close = did_you_mean(name, names);
  return Error(ErrorKind::Unavailable, "no fleet of the application '" + name + "' runs")
      .with_hint(close.empty() ? "switchyard up starts one" : close);
}

}  // namespace

Result<FleetConfig> load_configuration(const GlobalOptions& options) { return load_config(sources_of(options)); }

Result<FleetConfig> load_demonstration(const GlobalOptions& options) {
  Sources sources = sources_of(options);
  use_demonstration(sources);
  return load_config(sources);
}

Result<FleetConfig> load_configuration(const RunningFleet& running, const GlobalOptions& options) {
  Sources sources = sources_of(options);
  sources.dotenv_path = running.env_file.empty() ? std::nullopt : std::optional(running.env_file);
  sources.file = running.config_file.empty() ? std::nullopt : std::optional(running.config_file);
  if (running.demonstration) use_demonstration(sources);
  // What the fleet was started with, and stronger than that what this command says.
  std::vector<Override> settings;
  for (const auto& [key, value] : running.settings) {
    const bool replaced = std::ranges::any_of(options.settings, [&](const auto& one) { return one.first == key; });
    if (!replaced) settings.push_back({key, value});
  }
  settings.insert(settings.end(), sources.command_line.begin(), sources.command_line.end());
  sources.command_line = std::move(settings);
  auto fleet = load_config(sources);
  if (!fleet.ok()) return fleet;
  SY_TRY(apply(running.relocations, *fleet));
  return fleet;
}

bool is_configured(const FleetConfig& fleet) {
  return !fleet.file.empty() || std::ranges::any_of(fleet.databases, &DatabaseConfig::configured);
}

Result<std::optional<RunningFleet>> choose_running_fleet(const GlobalOptions& options) {
  std::vector<RunningFleet> fleets = running_fleets();
  const auto named = [&](const std::string& name) -> std::optional<RunningFleet> {
    const auto at = std::ranges::find(fleets, name, &RunningFleet::application);
    if (at == fleets.end()) return std::nullopt;
    return *at;
  };
  if (options.application) {
    if (auto found = named(*options.application)) return found;
    return no_such_fleet(*options.application, fleets);
  }
  if (fleets.empty()) return std::optional<RunningFleet>();
  auto local = load_configuration(options);
  if (!local.ok()) {
    // A wrong file that was asked for is an error; something else that lies around is not ours to judge.
    if (options.config) return local.error();
  } else if (is_configured(*local)) {
    return named(local->application.value);
  }
  if (fleets.size() > 1) return several(fleets);
  return std::optional<RunningFleet>(std::move(fleets.front()));
}

Result<FleetChoice> choose_fleet(const GlobalOptions& options) {
  auto running = choose_running_fleet(options);
  if (!running.ok()) return running.error();
  if (*running) {
    auto config = load_configuration(**running, options);
    if (!config.ok()) return config.error();
    return FleetChoice{std::move(*config), std::move(*running)};
  }
  auto config = load_configuration(options);
  if (!config.ok()) return config.error();
  if (!is_configured(*config)) {
    return Error(ErrorKind::Unavailable, "no fleet runs, and no database is configured here")
        .with_hint(
            "switchyard up starts a demonstration; --config FILE or POSTGRES_DSN=... names a database of yours");
  }
  return FleetChoice{std::move(*config), std::nullopt};
}

}  // namespace switchyard::cli
