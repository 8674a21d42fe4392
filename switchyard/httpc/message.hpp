// What is asked of a web server, and what it answers.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0::httpc {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// One request. Host, Content-Length, User-Agent, Accept and Connection are added unless `headers` has them.
struct Request {
  std::string method = "GET";
  std::string url;  ///< "http://host:8008/cluster"; see Url::parse
  Headers headers;
  std::string body;
  std::string content_type;  ///< of `body`; empty: no header is sent
  /// For everything together: name lookup, connecting, TLS, sending, the whole answer.
  Duration timeout = std::chrono::seconds(10);
  /// A larger answer is an error that names this limit.
  std::size_t max_body_bytes = 1 << 20;

  /// A request that may be sent again when a kept connection turns out to be closed: nothing or nothing more
  /// happens by it. By default what the method promises (GET, HEAD, PUT, DELETE, OPTIONS).
  enum class Repeatable : std::uint8_t { by_method, yes, no };
  Repeatable repeatable = Repeatable::by_method;
};

/// A complete answer, whatever its status is.
struct SWITCHYARD_API Response {
  unsigned status = 0;
  std::string reason;
  Headers headers;  ///< names in lower case, in the order they came; trailers are left out
  std::string body;

  /// 200 to 299.
  [[nodiscard]] bool ok() const noexcept { return status >= 200 && status < 300; }
  /// The first header of this (lower case) name, or empty.
  [[nodiscard]] std::string_view header(std::string_view name) const noexcept;
};

}  // namespace switchyard::inline v0::httpc
