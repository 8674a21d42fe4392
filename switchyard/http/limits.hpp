// The HTTP door: health, metrics and the state of a fleet for people, load balancers and Prometheus. It runs on a
// shard beside the fleet it reports on, so its first promise is to stay small there: every wait has a time limit,
// every size a bound, and a client that is slow, wrong or silent costs its own connection only.
//
// It speaks HTTP/1.1 without TLS (a proxy's business), answers GET, HEAD and OPTIONS, and
// changes nothing but for operators' commands (breaker_route.hpp), on loopback.
#pragma once

#include <switchyard/base/time.hpp>

#include <cstddef>

namespace switchyard::inline v0::http {

/// What one client may ask for and how long it may take. The error of each limit names it.
struct HttpLimits {
  std::size_t header_bytes = 16 * 1024;                 ///< request line and headers: 431 above
  std::size_t body_bytes = 64 * 1024;                   ///< 413 above
  std::size_t max_connections = 1000;                   ///< 503 and a close above
  Duration header_timeout = std::chrono::seconds(10);   ///< from a request's first byte to its last header: 408
  Duration body_timeout = std::chrono::seconds(10);     ///< from there to the end of the body: 408
  Duration idle_timeout = std::chrono::seconds(30);     ///< between requests: a close without a word
  Duration handler_timeout = std::chrono::seconds(15);  ///< for making the answer: 503
  Duration send_timeout = std::chrono::seconds(30);     ///< for taking the answer: a close
  Duration linger_timeout = std::chrono::seconds(2);    ///< for reading what is still under way after a last answer
};

}  // namespace switchyard::inline v0::http
