// The status line and headers of an answer.
#pragma once

#include <switchyard/http/message.hpp>

#include <string>
#include <string_view>

namespace switchyard::inline v0::http {

/// With the final empty line. `connection`: "keep-alive" or "close".
[[nodiscard]] std::string response_head(const HttpResponse& response, std::string_view connection);

}  // namespace switchyard::inline v0::http
