// SY_ASSERT: an internal invariant. Checked unless NDEBUG is defined; a failure is a bug of ours,
// never a consequence of input, of a server's answer or of a caller's mistake.
#pragma once

#include <switchyard/base/export.hpp>

namespace switchyard::inline v0::base {
/// Writes the failed condition to stderr and aborts.
[[noreturn]] SWITCHYARD_API void assertion_failed(const char* condition, const char* file, int line) noexcept;
}  // namespace switchyard::inline v0::base

#ifdef NDEBUG
#define SY_ASSERT(condition) ((void)0)
#else
#define SY_ASSERT(condition) \
  ((condition) ? (void)0 : ::switchyard::base::assertion_failed(#condition, __FILE__, __LINE__))
#endif
