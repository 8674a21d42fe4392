#include <switchyard/httpc/connection.hpp>

#include <switchyard/runtime/address.hpp>
#include <switchyard/runtime/dns.hpp>
#include <switchyard/runtime/loop.hpp>

#include <utility>

namespace switchyard::inline v0::httpc {

Connection::Connection(std::unique_ptr<runtime::Stream> stream)
    : stream_(std::move(stream)),
      timer_([](void* self) noexcept { static_cast<Connection*>(self)->on_time(); }, this) {
  stream_->start(this);
}

Task<Result<std::unique_ptr<Connection>>> Connection::open(Url url, std::shared_ptr<const runtime::TlsContext> tls,
                                                           TimePoint deadline) {
  auto addresses = co_await runtime::resolve(url.host, url.port, deadline);
  if (!addresses.ok()) co_return addresses.error();
  std::optional<Error> first_error;
  for (const runtime::SocketAddress& address : *addresses) {
    auto stream = co_await runtime::Stream::connect(address, {.host = url.host}, deadline);
    if (!stream.ok()) {
      if (!first_error) first_error = stream.error();
      if (runtime::now() >= deadline) break;
      continue;
    }
    if (tls) {
      // A certificate that does not fit is no reason to try the next address.
      auto secured = co_await (*stream)->start_tls(
          tls, {.server_name = url.host, .alpn = runtime::TlsOptions::Alpn::http}, deadline);
      if (!secured.ok()) co_return secured.error();
    }
    co_return std::make_unique<Connection>(std::move(*stream));
  }
  co_return *first_error;
}

Task<Result<Response>> Connection::exchange(std::string request, ResponseLimits limits, ResponseParser::Body body,
                                            TimePoint deadline) {
  parser_.emplace(limits, body);
  error_.reset();
  done_.reset();
  late_ = false;
  busy_ = true;
  timer_.arm(deadline);
  stream_->out().put(request);
  if (stream_->out().failed()) {
    close();
    co_return Error(ErrorKind::Unavailable, "out of memory while sending the request");
  }
  stream_->flush_now();
  co_await done_.wait();
  busy_ = false;
  timer_.disarm();
  if (late_) {
    close();
    co_return Error(ErrorKind::Deadline, parser_->started() ? "the answer was not complete in time" : "no answer",
                    ErrorStage::sent);
  }
  if (parser_->state() == ResponseParser::State::complete) {
    if (!parser_->keep_alive()) close();
    co_return std::move(parser_->response());
  }
  close();
  if (parser_->state() == ResponseParser::State::failed && !error_) {
    co_return Error(ErrorKind::Protocol, std::string(parser_->failure()), ErrorStage::sent);
  }
  co_return error_->with_stage(ErrorStage::sent);
}

void Connection::rest(Duration idle_timeout) noexcept { timer_.arm(deadline_after(runtime::now(), idle_timeout)); }

void Connection::on_data(base::ReadBuffer& in) noexcept {
  if (!busy_ || parser_->done()) return close();  // it speaks without being asked
  in.consume(parser_->feed(in.readable()));
  if (!parser_->done()) return;
  if (in.size() != 0) close();
  done_.set();
}

void Connection::on_closed(const Error& error) noexcept {
  closed_ = true;
  if (!busy_) return timer_.disarm();
  if (parser_->done()) return;
  parser_->on_end();
  if (parser_->state() == ResponseParser::State::failed) {
    try {
      error_ =
          Error(ErrorKind::Unavailable, std::string(parser_->failure())).with_hint(std::string(error.message()));
    } catch (const std::exception&) {
      error_ = error;
    }
  }
  done_.set();
}

void Connection::on_time() noexcept {
  if (!busy_) return close();
  if (parser_->done()) return;
  late_ = true;
  done_.set();
}

void Connection::close() noexcept {
  if (closed_) return;
  closed_ = true;
  stream_->close();
}

}  // namespace switchyard::inline v0::httpc
