#include <switchyard/protocol/cancel.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/stream.hpp>
#include <switchyard/runtime/timer.hpp>
#include <switchyard/session/canceller.hpp>
#include <switchyard/session/startup_driver.hpp>

#include <utility>

namespace switchyard::inline v0::session {
namespace {

/// SSLRequest (manual chapter 55.7): length 8, code 80877103.
constexpr std::int32_t kSslRequestCode = 80'877'103;

/// Waits for one byte, or the end of the connection.
class Answer final : public runtime::Stream::Handler {
 public:
  runtime::AsyncEvent event;
  char byte = '\0';
  bool closed = false;

 private:
  void on_data(base::ReadBuffer& in) noexcept override {
    byte = in.readable().front();
    in.consume(in.size());
    event.set();
  }
  void on_closed(const Error& /*error*/) noexcept override {
    closed = true;
    event.set();
  }
};

class Alarm {
 public:
  Alarm(runtime::AsyncEvent& event, TimePoint deadline) noexcept : event_(event) { timer_.arm(deadline); }
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

 private:
  runtime::AsyncEvent& event_;
  runtime::Timer timer_{[](void* self) noexcept { static_cast<Alarm*>(self)->event_.set(); }, this};
};

}  // namespace

Task<void> request_cancel(std::shared_ptr<const ConnectPlan> plan, runtime::SocketAddress address, HostSpec host,
                          protocol::BackendKey key, CancelTransport transport) {
  const TimePoint deadline = deadline_after(runtime::now(), kCancelPatience);
  auto connected = co_await runtime::Stream::connect(address, transport_options(plan->options, host), deadline);
  if (!connected.ok()) co_return;
  std::unique_ptr<runtime::Stream> stream = std::move(*connected);
  Answer answer;
  const Alarm alarm(answer.event, deadline);
  bool started = false;
  if (transport == CancelTransport::tls) {
    auto tls = tls_context(plan->options, host);
    if (!tls.ok() || !*tls) co_return;
    if (plan->options.sslnegotiation == SslNegotiation::postgres) {
      stream->out().put_i32(8);
      stream->out().put_i32(kSslRequestCode);
      stream->flush_now();
      stream->start(&answer);
      started = true;
      co_await answer.event.wait();
      if (answer.byte != 'S') co_return;
      answer.event.reset();
    }
    auto secured = co_await stream->start_tls(*tls, tls_options(plan->options, host), deadline);
    if (!secured.ok()) co_return;
  }
  if (!protocol::encode_cancel_request(stream->out(), key)) co_return;
  stream->flush_now();
  if (!started) stream->start(&answer);
  // The server closes once it has passed the request on.
  while (!answer.closed && runtime::now() < deadline) {
    co_await answer.event.wait();
    answer.event.reset();
  }
}

}  // namespace switchyard::inline v0::session
