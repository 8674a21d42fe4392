// Errors on the wire: application/problem+json (RFC 9457) with what a caller needs to act: `sqlstate`, `database`,
// `retryable`, `trace_id`, `hint`.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/http/message.hpp>

#include <string>
#include <string_view>

namespace switchyard::inline v0::http {

struct Problem {
  unsigned status = 500;
  std::string detail;
  std::string hint;
  std::string sqlstate;
  std::string database;
  bool retryable = false;
  std::string instance;  ///< the request's target
  std::string trace_id;
};

[[nodiscard]] SWITCHYARD_API HttpResponse to_response(const Problem& problem);

/// What an Error means to an HTTP client: 503 when trying again may help, 504 for a deadline, 502 for a server that
/// breaks the protocol, 500 else.
[[nodiscard]] SWITCHYARD_API Problem problem_of(const Error& error);

}  // namespace switchyard::inline v0::http
