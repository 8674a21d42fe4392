// Memory of coroutine frames. Frames come and go by the million and in few sizes, so each thread keeps the ones it
// released and hands them out again.
#pragma once

#include <switchyard/base/export.hpp>

#include <cstddef>

namespace switchyard::inline v0::runtime {

/// Memory for a frame of `size` bytes, aligned as malloc aligns. Throws std::bad_alloc.
[[nodiscard]] SWITCHYARD_API void* allocate_frame(std::size_t size);

/// Gives a frame back. Any thread may do so: the memory then belongs to that thread's lists.
SWITCHYARD_API void release_frame(void* frame, std::size_t size) noexcept;

}  // namespace switchyard::inline v0::runtime
