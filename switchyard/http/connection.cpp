#include <switchyard/http/connection.hpp>

#include <switchyard/base/units.hpp>
#include <switchyard/http/problem.hpp>
#include <switchyard/http/response_head.hpp>
#include <switchyard/http/trace.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/telemetry/log.hpp>

#include <sys/socket.h>

#include <exception>
#include <optional>
#include <utility>

namespace switchyard::inline v0::http {

namespace {

/// After a last answer at most this much is still read and thrown away, so that the client sees the answer and not
/// a reset.
constexpr std::size_t kLingerBytes = 256 * 1024;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

Connection::Connection(std::unique_ptr<runtime::Stream> stream, HttpHandler& handler, const HttpLimits& limits,
                       Owner& owner)
    : stream_(std::move(stream)),
      handler_(handler),
      limits_(limits),
      owner_(owner),
      parser_(limits),
      timer_([](void* self) noexcept { static_cast<Connection*>(self)->on_time(); }, this) {}

void Connection::start() noexcept {
  arm(limits_.header_timeout);
  stream_->start(this);
}

void Connection::refuse() {
  stream_->start(this);
  Problem problem;
  problem.status = 503;
  problem.detail = "this server has max_connections (" + std::to_string(limits_.max_connections) + ") open";
  problem.retryable = true;
  HttpResponse response = to_response(problem);
  response.headers.emplace_back("Retry-After", "1");
  send(std::move(response), AfterAnswer::close);
}

void Connection::drain() noexcept {
  draining_ = true;
  if (phase_ == Phase::reading && !parser_.started()) finish();
}

void Connection::on_data(base::ReadBuffer& in) noexcept {
  switch (phase_) {
    case Phase::reading: read(in); break;
    case Phase::lingering:
      lingered_ += in.size();
      in.consume(in.size());
      if (lingered_ > kLingerBytes) finish();
      break;
    case Phase::sending:
      // Somebody who sends on without taking an answer.
      if (in.size() > runtime::Stream::kLargestRead) finish();
      break;
    case Phase::answering:
    case Phase::closed: break;
  }
}

void Connection::read(base::ReadBuffer& in) {
  const bool first_bytes = !parser_.started();
  in.consume(parser_.feed(in.readable()));
  switch (parser_.state()) {
    case RequestParser::State::head:
      if (first_bytes && parser_.started()) arm(limits_.header_timeout);
      break;
    case RequestParser::State::body:
      if (parser_.take_expect_continue()) {
        stream_->out().put(kContinue);
        stream_->flush_soon();
      }
      if (!in_body_) arm(limits_.body_timeout);
      in_body_ = true;
      break;
    case RequestParser::State::complete:
      timer_.disarm();
      phase_ = Phase::answering;
      stream_->set_handler(nullptr);
      answer_.start(answer());
      break;
    case RequestParser::State::failed: send_problem(parser_.failure_status(), parser_.failure()); break;
  }
}

Task<void> Connection::answer() {
  HttpRequest& request = parser_.request();
  request.trace_id = trace_id_of(request);
  std::optional<HttpResponse> response;
  std::optional<Problem> problem;
  try {
    response = co_await with_timeout(handler_.handle(request), limits_.handler_timeout);
  } catch (const Error& error) {
    problem = problem_of(error);
    if (error.kind() == ErrorKind::Deadline) {
      problem->status = 503;
      problem->detail =
          "the answer took longer than handler_timeout (" + format_duration(limits_.handler_timeout) + ")";
    }
  } catch (const std::exception& error) {
    log::error("http", "handler_failed", error.what(),
               {{"target", request.target}, {"trace_id", request.trace_id}});
    problem.emplace();
    problem->detail = "this route failed; the log has the reason";
  }
  if (problem) {
    problem->instance = request.target;
    problem->trace_id = request.trace_id;
    response = to_response(*problem);
  }
  const bool keep = parser_.keep_alive() && !draining_;
  send(std::move(*response), keep ? AfterAnswer::keep : AfterAnswer::close);
}

void Connection::send_problem(unsigned status, std::string detail) {
  Problem problem;
  problem.status = status;
  problem.detail = std::move(detail);
  send(to_response(problem), AfterAnswer::close);
}

void Connection::send(HttpResponse response, AfterAnswer after) {
  phase_ = Phase::sending;
  after_ = after;
  base::WriteBuffer& out = stream_->out();
  out.put(response_head(response, after == AfterAnswer::keep ? "keep-alive" : "close"));
  if (parser_.request().method != "HEAD") out.put(response.body);
  if (out.failed()) return finish();
  arm(limits_.send_timeout);
  stream_->flush_now();
  if (phase_ != Phase::sending) return;
  if (stream_->unsent() == 0) {
    sent();
  } else {
    stream_->set_handler(this);
  }
}

void Connection::on_drained() noexcept {
  if (phase_ == Phase::sending) sent();
}

void Connection::sent() noexcept {
  if (after_ == AfterAnswer::keep && !draining_) {
    phase_ = Phase::reading;
    in_body_ = false;
    parser_.reset();
    arm(limits_.idle_timeout);
  } else {
    phase_ = Phase::lingering;
    ::shutdown(stream_->native_handle(), SHUT_WR);
    arm(limits_.linger_timeout);
  }
  stream_->set_handler(this);
}

void Connection::on_closed(const Error&) noexcept { finish(); }

void Connection::on_time() noexcept {
  if (phase_ != Phase::reading || !parser_.started()) return finish();
  try {
    send_problem(
        408, in_body_
                 ? "the body took longer than body_timeout (" + format_duration(limits_.body_timeout) + ")"
                 : "the headers took longer than header_timeout (" + format_duration(limits_.header_timeout) + ")");
  } catch (const std::exception&) {  // memory ran out
    finish();
  }
}

void Connection::finish() noexcept {
  if (phase_ == Phase::closed) return;
  phase_ = Phase::closed;
  timer_.disarm();
  stream_->close();
  owner_.on_finished(*this);
}

void Connection::arm(Duration limit) noexcept { timer_.arm(deadline_after(runtime::now(), limit)); }

}  // namespace switchyard::inline v0::http
