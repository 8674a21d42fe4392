// Asks a running fleet's HTTP door: one blocking request.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>

#include <string>
#include <string_view>

namespace switchyard::cli {

struct HttpAnswer {
  unsigned status = 0;
  std::string body;
};

/// `address` is "127.0.0.1:8420". Unavailable when nobody answers in time.
[[nodiscard]] Result<HttpAnswer> http_get(const std::string& address, std::string_view target,
                                          Duration timeout = std::chrono::seconds(20));
/// An operator's command: a POST without a body that says who sends it.
[[nodiscard]] Result<HttpAnswer> http_command(const std::string& address, std::string_view target,
                                              Duration timeout = std::chrono::seconds(20));

}  // namespace switchyard::cli
