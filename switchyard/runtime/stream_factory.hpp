// How other files of this room make streams.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/runtime/address.hpp>
#include <switchyard/runtime/stream.hpp>

#include <memory>

namespace switchyard::inline v0::runtime {

class StreamFactory {
 public:
  /// Takes over `fd`, closing it on failure.
  [[nodiscard]] static Result<std::unique_ptr<Stream>> adopt(int fd, const SocketAddress& peer);
};

}  // namespace switchyard::inline v0::runtime
