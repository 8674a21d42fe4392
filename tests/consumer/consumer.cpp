// What the installed headers and library must give a program: it compiles, links, runs and prints what it read.
#include <switchyard/switchyard.hpp>

#include <cstdio>

namespace sy = switchyard;

inline constexpr sy::Database<"main"> main_db;

int main() {
  const auto size = sy::parse_size("256MB");
  if (!size) return 1;
  std::printf("%s %llu\n", std::string(main_db.name()).c_str(), static_cast<unsigned long long>(*size));
  return 0;
}
