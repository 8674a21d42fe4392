#include "commands.hpp"
#include "fleet_choice.hpp"

#include <switchyard/config/explain.hpp>

namespace switchyard::cli {

ExitCode run_config_explain(const GlobalOptions& global, const ConfigExplainOptions& options,
                            const Console& console) {
  auto config = load_configuration(global);
  if (!config.ok()) return fail(console, config.error());
  if (!is_configured(*config)) {
    console.note("No fleet file, and no variable that names a database: these are the defaults.");
  }
  const Explanation explanation = explain(*config);
  if (global.json) {
    std::string text = to_json(explanation);
    if (!text.ends_with('\n')) text += '\n';
    console.print(text);
  } else {
    console.print(to_text(explanation, options.all));
    if (!options.all) console.note("\nDefaults are left out; --all shows them.");
  }
  return ExitCode::ok;
}

ExitCode run_database_names(const GlobalOptions& global, const Console& console) {
  auto choice = choose_fleet(global);
  if (!choice.ok()) return exit_code_of(choice.error());
  std::string names;
  for (const DatabaseConfig& database : choice->config.databases) {
    names += database.name + '\n';
    if (!database.replicas.empty()) names += database.name + "_replica\n";
  }
  console.print(names);
  return ExitCode::ok;
}

}  // namespace switchyard::cli
