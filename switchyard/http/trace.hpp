// The trace a request belongs to (W3C Trace Context).
#pragma once

#include <switchyard/http/message.hpp>

#include <string>

namespace switchyard::inline v0::http {

/// The trace id of the request's `traceparent` header, or a new one where there is none or it is malformed.
[[nodiscard]] std::string trace_id_of(const HttpRequest& request);

}  // namespace switchyard::inline v0::http
