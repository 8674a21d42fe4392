// Builders for tests of this room.
#pragma once

#include <switchyard/config/load.hpp>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>

namespace switchyard::testing_config {

/// A folder of its own, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "switchyard-config-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  /// Writes a file and returns its path.
  std::string write(const std::string& name, std::string_view contents, int mode = 0600) const {
    const std::string file = path_ + "/" + name;
    std::ofstream(file, std::ios::binary) << contents;
    ::chmod(file.c_str(), static_cast<mode_t>(mode));
    return file;
  }

 private:
  std::string path_;
};

using Variables = std::map<std::string, std::string, std::less<>>;

/// One load, described by what differs from "nothing is there".
struct Load {
  Sources sources;
  TemporaryFolder folder;

  Load() {
    sources.environment.os_user = "tester";
    sources.environment.socket_directory = "/var/run/postgresql";
  }
  Load& file(std::string text) {
    sources.file = "fleet.toml";
    sources.file_text = std::move(text);
    return *this;
  }
  Load& env(Variables variables) {
    sources.environment.variables = std::move(variables);
    return *this;
  }
  Load& dotenv(std::string_view text) {
    sources.dotenv_path = folder.write(".env", text);
    return *this;
  }
  Load& code(std::string key, std::string value) {
    sources.code.push_back({std::move(key), std::move(value)});
    return *this;
  }
  Load& command_line(std::string key, std::string value) {
    sources.command_line.push_back({std::move(key), std::move(value)});
    return *this;
  }
  Load& uses(std::string name) {
    sources.names_in_code.push_back(std::move(name));
    return *this;
  }

  FleetConfig ok() {
    auto result = load_config(sources);
    if (!result.ok()) {
      ADD_FAILURE() << result.error().what();
      return {};
    }
    return *std::move(result);
  }
  /// The message of a load that must fail.
  std::string error() {
    auto result = load_config(sources);
    if (result.ok()) {
      ADD_FAILURE() << "the load was expected to fail";
      return {};
    }
    EXPECT_EQ(result.error().kind(), ErrorKind::Config);
    return result.error().what();
  }
};

}  // namespace switchyard::testing_config
