// What the installed headers and library must give a program: it compiles, links, runs, and code of the library
// runs in it.
#include <switchyard/switchyard.hpp>

#include <cstdio>
#include <string>

namespace sy = switchyard;

inline constexpr sy::Database<"main"> main_db;

sy::Task<int> answer() { co_return 42; }

int main() {
  const sy::Task<int> never_awaited = answer();  // its frame comes from the library and goes back to it
  const sy::Error error = sy::Error(sy::ErrorKind::Usage, "an error").with_database(std::string(main_db.name()));
  std::printf("%s\n", error.what());
  return never_awaited ? 0 : 1;
}
