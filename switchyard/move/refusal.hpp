// How this room says what it can't do, and what to do instead.
#pragma once

#include <switchyard/base/error.hpp>

#include <string>
#include <utility>

namespace switchyard::inline v0::move {

[[nodiscard]] inline Error cant(std::string what, std::string hint) {
  return Error(ErrorKind::Config, std::move(what)).with_hint(std::move(hint));
}

}  // namespace switchyard::inline v0::move
