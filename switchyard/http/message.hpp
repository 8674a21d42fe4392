// A request as routes see it and the answer they give.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/runtime/task.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0::http {

/// One complete request.
struct SWITCHYARD_API HttpRequest {
  std::string method;                                        ///< "GET", as sent
  std::string target;                                        ///< as sent: "/readyz?verbose"
  std::string path;                                          ///< percent-decoded, without query: "/readyz"
  std::vector<std::pair<std::string, std::string>> query;    ///< decoded, in order; a name without '=' has value ""
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
  std::string body;
  std::string trace_id;  ///< 32 hex digits: from `traceparent`, or drawn for this request

  /// The first header of this (lower case) name, or empty.
  [[nodiscard]] std::string_view header(std::string_view name) const noexcept;
  [[nodiscard]] bool has_query(std::string_view name) const noexcept;
  /// Every value of this query parameter.
  [[nodiscard]] std::vector<std::string_view> query_values(std::string_view name) const;
};

/// The answer. Content-Length, Date, Connection and the headers against guessing and caching are added on the wire.
struct SWITCHYARD_API HttpResponse {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  ///< further ones: {"Allow", "GET, HEAD, OPTIONS"}

  [[nodiscard]] static HttpResponse text(unsigned status, std::string body);
  [[nodiscard]] static HttpResponse json(unsigned status, std::string body);
};

/// "Not Found" for 404; "Unknown" for a number we never send.
[[nodiscard]] SWITCHYARD_API std::string_view reason_phrase(unsigned status) noexcept;

/// Takes a request target apart: "/a%20b?x=1&y" or "http://host/path". False when it is malformed.
[[nodiscard]] SWITCHYARD_API bool parse_target(std::string_view target, HttpRequest& request);

/// Whoever answers requests. It lives longer than the server. An Error that leaves it becomes an answer of its own.
class HttpHandler {
 public:
  /// `request` lives until the task has ended.
  virtual Task<HttpResponse> handle(const HttpRequest& request) = 0;

 protected:
  ~HttpHandler() = default;
};

}  // namespace switchyard::inline v0::http
