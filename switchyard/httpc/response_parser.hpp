// Reads one HTTP/1.1 response (RFC 9112) from bytes as they come: no socket, no clock. Strict where leniency lets
// two readers disagree about where an answer ends: both or several lengths, folded headers, unknown codings are
// errors. A response that has failed says why; its connection can't be used further.
//
//   head ──► body ──► complete
//     ▲  │     └──(malformed, too large, cut off)──► failed
//     └──┘ an interim answer (1xx) is skipped
#pragma once

#include <switchyard/base/bytes.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/httpc/message.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::inline v0::httpc {

/// Each error of a limit names it.
struct ResponseLimits {
  std::size_t header_bytes = 32 * 1024;  ///< status line, headers and trailers
  std::size_t headers = 100;
  std::size_t chunk_line_bytes = 256;  ///< size and extensions of a chunk
  std::size_t interim_answers = 8;     ///< 1xx before the real one
  std::size_t body_bytes = 1 << 20;    ///< max_body_bytes of the request
};

class SWITCHYARD_API ResponseParser {
 public:
  enum class State : std::uint8_t { head, body, complete, failed };
  /// Answers to HEAD have headers that speak of a body and no body.
  enum class Body : std::uint8_t { expected, none };

  explicit ResponseParser(const ResponseLimits& limits = {}, Body body = Body::expected) noexcept
      : limits_(limits), body_(body) {}

  /// Takes bytes and tells how many it used: less than all once the response is complete or has failed.
  std::size_t feed(ByteView in) noexcept;
  /// The peer has closed: the end of a body without a length, else an error.
  void on_end() noexcept;

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] bool done() const noexcept { return state_ == State::complete || state_ == State::failed; }
  /// Whether a first byte has come.
  [[nodiscard]] bool started() const noexcept { return started_; }
  /// Valid when complete; may be moved from.
  [[nodiscard]] Response& response() noexcept { return response_; }
  /// Whether the connection can take another request; valid when complete.
  [[nodiscard]] bool keep_alive() const noexcept { return keep_alive_; }
  /// Why it failed: "the answer is longer than max_body_bytes (1MB)".
  [[nodiscard]] std::string_view failure() const noexcept { return failure_; }

 private:
  enum class Part : std::uint8_t {
    status_line,
    header_line,
    sized_body,
    chunk_size,
    chunk_data,
    chunk_end,
    trailer_line,
    body_until_end,
  };
  std::size_t take(ByteView in);
  /// Gathers a line; true when it is whole, in line_ without its end.
  bool take_line(ByteView in, std::size_t& at, std::size_t limit, std::string_view limit_name);
  bool on_line();
  bool status_line();
  bool header_line();
  bool end_of_head();
  bool chunk_line();
  bool append_body(ByteView bytes);
  bool too_large();
  bool length_header(std::string_view value);
  void complete() noexcept;
  bool fail(std::string_view why) noexcept;

  ResponseLimits limits_;
  Body body_;
  State state_ = State::head;
  Part part_ = Part::status_line;
  Response response_;
  std::string line_;
  std::string failure_;
  std::uint64_t left_ = 0;      // of the sized body or the chunk
  std::uint64_t length_ = 0;    // what Content-Length says
  std::size_t head_bytes_ = 0;  // of this head and its trailers
  std::size_t interim_ = 0;
  bool started_ = false;
  bool http_1_0_ = false;
  bool has_length_ = false;
  bool has_coding_ = false;
  bool says_close_ = false;
  bool says_keep_alive_ = false;
  bool keep_alive_ = false;
};

}  // namespace switchyard::inline v0::httpc
