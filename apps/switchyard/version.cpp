#include "commands.hpp"

#include <switchyard/base/version.hpp>
#include <switchyard/embedded/postgres_binaries.hpp>
#include <switchyard/http/json_writer.hpp>

#include <string>

namespace switchyard::cli {

ExitCode run_version(const GlobalOptions& global, const Console& console) {
  if (!global.json) {
    console.print("switchyard " + std::string(kVersion) + '\n');
    return ExitCode::ok;
  }
  http::JsonWriter json;
  json.begin_object().member("version", kVersion).member("compiler", __VERSION__);
  json.key("postgresql").begin_array();
  for (const embedded::PostgresBinaries& installed : embedded::list_postgres()) {
    json.begin_object().member("version", installed.version).member("folder", installed.folder).end_object();
  }
  json.end_array().end_object();
  console.print(json.take());
  return ExitCode::ok;
}

}  // namespace switchyard::cli
