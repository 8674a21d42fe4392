// The text of a file as UTF-8, whatever it was written in.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>

#include <string>
#include <string_view>

namespace switchyard::inline v0::scripts {

/// `encoding`: UTF-8, US-ASCII, ISO-8859-1, windows-1252, UTF-16, UTF-16LE or UTF-16BE, in any case. A byte order
/// mark stays, as U+FEFF; only plain UTF-16 takes its byte order from it and drops it. Config error for an unknown
/// encoding, and for bytes that are none of it, with the place.
[[nodiscard]] SWITCHYARD_API Result<std::string> decode(std::string_view bytes,
                                                        std::string_view encoding = "UTF-8");

}  // namespace switchyard::inline v0::scripts
