// Bytes in, requests out: HTTP/1.1 as a machine without a socket. It can be fed in any splits, keeps what belongs
// to the next request, and says which limit a bad one broke.
//
//   head ──(all headers)──> body ──(Content-Length or last chunk)──> complete
//     └────────── malformed, too large, wrong version ──────────> failed
#pragma once

#include <switchyard/base/bytes.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/http/limits.hpp>
#include <switchyard/http/message.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace switchyard::inline v0::http {

class SWITCHYARD_API RequestParser {
 public:
  enum class State : std::uint8_t { head, body, complete, failed };

  explicit RequestParser(const HttpLimits& limits);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  /// Takes from the front of `in` what belongs to the current request and says how many bytes that were. What it
  /// leaves is shown again, with more behind it. Must not be called when complete or failed.
  std::size_t feed(ByteView in);
  [[nodiscard]] State state() const noexcept { return state_; }
  /// Something of the current request has come.
  [[nodiscard]] bool started() const noexcept { return started_; }

  /// The request; complete only.
  [[nodiscard]] HttpRequest& request() noexcept { return request_; }
  /// The client wants another answer on this connection afterwards.
  [[nodiscard]] bool keep_alive() const noexcept { return keep_alive_; }
  /// The client waits for "100 Continue" before it sends the body. True once a request.
  [[nodiscard]] bool take_expect_continue() noexcept;

  /// Why it failed: 400, 413, 431, 505.
  [[nodiscard]] unsigned failure_status() const noexcept { return failure_status_; }
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }

  /// Ready for the next request.
  void reset();

 private:
  struct Impl;
  void fail(unsigned status, std::string text);
  void finish();

  HttpLimits limits_;
  std::unique_ptr<Impl> impl_;
  HttpRequest request_;
  std::string failure_;
  unsigned failure_status_ = 0;
  State state_ = State::head;
  bool started_ = false;
  bool keep_alive_ = false;
  bool expect_continue_ = false;
};

}  // namespace switchyard::inline v0::http
