// Command line of measuring and soaking programs: --name value pairs with defaults, and --help.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

namespace switchyard::testing {

class ProgramOptions {
 public:
  /// `defaults` names every option; anything else on the command line is an error.
  ProgramOptions(int argc, char** argv, const char* purpose, std::map<std::string, std::string> defaults)
      : values_(std::move(defaults)) {
    for (int i = 1; i < argc; ++i) {
      const std::string word = argv[i];
      if (word == "--help" || word == "-h") {
        std::printf("%s\n\noptions (with their defaults):\n", purpose);
        for (const auto& [name, value] : values_) std::printf("  --%s %s\n", name.c_str(), value.c_str());
        std::exit(0);
      }
      const auto found = word.starts_with("--") ? values_.find(word.substr(2)) : values_.end();
      if (found == values_.end() || i + 1 == argc) {
        std::fprintf(stderr, "unknown option, or one without a value: %s (see --help)\n", word.c_str());
        std::exit(2);
      }
      found->second = argv[++i];
    }
  }
  [[nodiscard]] const std::string& text(const std::string& name) const { return values_.at(name); }
  [[nodiscard]] double number(const std::string& name) const {
    char* end = nullptr;
    const std::string& value = values_.at(name);
    const double parsed = std::strtod(value.c_str(), &end);
    if (end == value.c_str() || *end != '\0' || parsed < 0) {
      std::fprintf(stderr, "--%s takes a number, not '%s'\n", name.c_str(), value.c_str());
      std::exit(2);
    }
    return parsed;
  }
  [[nodiscard]] int count(const std::string& name) const { return static_cast<int>(number(name)); }

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace switchyard::testing
