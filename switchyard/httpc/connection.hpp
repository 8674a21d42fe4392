// One connection to a web server: one request at a time, kept between them while the peer allows it. Internal.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/httpc/message.hpp>
#include <switchyard/httpc/response_parser.hpp>
#include <switchyard/httpc/url.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/stream.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/runtime/timer.hpp>

#include <memory>
#include <optional>
#include <string>

namespace switchyard::inline v0::httpc {

//  idle ──exchange()──► busy ──(answer complete, keep-alive)──► idle ──(silent for idle_timeout)──► closed
//    └──(peer closes, or speaks without being asked)──► closed ◄──(error, deadline, close)──┘
class Connection final : private runtime::Stream::Handler {
 public:
  explicit Connection(std::unique_ptr<runtime::Stream> stream);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Looks the host up, connects to its first address that answers, and speaks TLS if `tls` is given.
  [[nodiscard]] static Task<Result<std::unique_ptr<Connection>>> open(
      Url url, std::shared_ptr<const runtime::TlsContext> tls, TimePoint deadline);

  /// Sends the bytes of a request and reads the answer. An error leaves the connection closed; at the deadline it
  /// is of kind Deadline.
  [[nodiscard]] Task<Result<Response>> exchange(std::string request, ResponseLimits limits,
                                                ResponseParser::Body body, TimePoint deadline);

  /// Whether another request may be sent.
  [[nodiscard]] bool usable() const noexcept { return !closed_; }
  /// Whether a byte of an answer has come in the last exchange.
  [[nodiscard]] bool answered() const noexcept { return parser_ && parser_->started(); }
  /// Closes by itself after this time without a request.
  void rest(Duration idle_timeout) noexcept;

 private:
  void on_data(base::ReadBuffer& in) noexcept override;
  void on_closed(const Error& error) noexcept override;
  void on_time() noexcept;
  void close() noexcept;

  std::unique_ptr<runtime::Stream> stream_;
  runtime::Timer timer_;
  runtime::AsyncEvent done_;
  std::optional<ResponseParser> parser_;
  std::optional<Error> error_;
  bool busy_ = false;
  bool late_ = false;
  bool closed_ = false;
};

}  // namespace switchyard::inline v0::httpc
