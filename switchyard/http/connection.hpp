// One client of the HTTP door: requests one after the other, each with its time limits.
//
//   reading ──(a whole request)──> answering ──> sending ──(keep-alive)──> reading
//      │                                            └──(last answer)──> lingering ──> closed
//      ├──(bad request, limit, late)──> sending the reason, as a last answer
//      └──(idle too long, peer gone)──> closed
//
// While a request is answered nothing more is read, so a client that sends without end waits in its own socket.
#pragma once

#include <switchyard/http/limits.hpp>
#include <switchyard/http/message.hpp>
#include <switchyard/http/request_parser.hpp>
#include <switchyard/runtime/owned_task.hpp>
#include <switchyard/runtime/stream.hpp>
#include <switchyard/runtime/timer.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace switchyard::inline v0::http {

class Connection final : private runtime::Stream::Handler {
 public:
  class Owner {
   public:
    /// The connection has ended; it is destroyed later, not from here.
    virtual void on_finished(Connection& connection) noexcept = 0;

   protected:
    ~Owner() = default;
  };

  Connection(std::unique_ptr<runtime::Stream> stream, HttpHandler& handler, const HttpLimits& limits, Owner& owner);
  void start() noexcept;

  /// Says that the server is full and closes.
  void refuse();
  /// Closes at once when between requests, else after the answer.
  void drain() noexcept;
  [[nodiscard]] bool finished() const noexcept { return phase_ == Phase::closed; }

 private:
  enum class Phase : std::uint8_t { reading, answering, sending, lingering, closed };
  enum class AfterAnswer : std::uint8_t { keep, close };

  void on_data(base::ReadBuffer& in) noexcept override;
  void on_closed(const Error& error) noexcept override;
  void on_drained() noexcept override;
  void on_time() noexcept;

  void read(base::ReadBuffer& in);
  Task<void> answer();
  void send_problem(unsigned status, std::string detail);
  void send(HttpResponse response, AfterAnswer after);
  void sent() noexcept;
  void finish() noexcept;
  void arm(Duration limit) noexcept;

  std::unique_ptr<runtime::Stream> stream_;
  HttpHandler& handler_;
  const HttpLimits& limits_;
  Owner& owner_;
  RequestParser parser_;
  runtime::Timer timer_;
  runtime::OwnedTask answer_;
  std::size_t lingered_ = 0;
  Phase phase_ = Phase::reading;
  AfterAnswer after_ = AfterAnswer::keep;
  bool in_body_ = false;  // the body of the current request has a deadline
  bool draining_ = false;
};

}  // namespace switchyard::inline v0::http
