#include <switchyard/base/assert.hpp>

#include <cstdio>
#include <cstdlib>

namespace switchyard::inline v0::base {

void assertion_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "switchyard: internal error: %s does not hold (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace switchyard::inline v0::base
