#include <switchyard/runtime/frame.hpp>

#include <array>
#include <cstdlib>
#include <new>

namespace switchyard::inline v0::runtime {
namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SWITCHYARD_KEEP_FRAMES false  // recycled memory would hide a use after free
#endif
#endif
#ifndef SWITCHYARD_KEEP_FRAMES
#define SWITCHYARD_KEEP_FRAMES true
#endif
constexpr bool kKeepFrames = SWITCHYARD_KEEP_FRAMES;
constexpr std::size_t kGranularity = 64;  // bytes between size classes: one cache line
constexpr std::size_t kClasses = 32;      // frames up to 2 kB are recycled, larger ones are rare
constexpr std::size_t kKeptPerClass = 128;

struct FreeFrame {
  FreeFrame* next;
};

struct FreeList {
  FreeFrame* first = nullptr;
  std::size_t count = 0;
};

struct FreeLists {
  std::array<FreeList, kClasses> lists;
  bool registered = false;  // the clean-up below will run at the end of this thread
  bool finished = false;    // it has run: later frames are not kept
};

constinit thread_local FreeLists t_frames;

struct ThreadEnd {
  ~ThreadEnd() {
    t_frames.finished = true;
    for (FreeList& list : t_frames.lists) {
      while (FreeFrame* frame = list.first) {
        list.first = frame->next;
        std::free(frame);
      }
      list.count = 0;
    }
  }
};

void register_thread_end() {
  thread_local ThreadEnd end;
  (void)end;
  t_frames.registered = true;
}

constexpr std::size_t class_of(std::size_t size) noexcept { return (size + kGranularity - 1) / kGranularity - 1; }

}  // namespace

void* allocate_frame(std::size_t size) {
  const std::size_t c = class_of(size);
  if (kKeepFrames && c < kClasses) {
    FreeList& list = t_frames.lists[c];
    if (FreeFrame* frame = list.first) {
      list.first = frame->next;
      --list.count;
      return frame;
    }
    size = (c + 1) * kGranularity;
  }
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void release_frame(void* frame, std::size_t size) noexcept {
  const std::size_t c = class_of(size);
  if (kKeepFrames && c < kClasses && !t_frames.finished) {
    FreeList& list = t_frames.lists[c];
    if (list.count < kKeptPerClass) {
      if (!t_frames.registered) register_thread_end();
      auto* kept = static_cast<FreeFrame*>(frame);
      kept->next = list.first;
      list.first = kept;
      ++list.count;
      return;
    }
  }
  std::free(frame);
}

}  // namespace switchyard::inline v0::runtime
