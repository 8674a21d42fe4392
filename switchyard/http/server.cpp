#include <switchyard/http/server.hpp>

#include <switchyard/http/connection.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/owned_task.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/runtime/turn_end.hpp>
#include <switchyard/telemetry/log.hpp>

#include <list>
#include <utility>

namespace switchyard::inline v0::http {

namespace {

/// Refused clients still cost a socket until they have read why; above this many they are just closed.
constexpr std::size_t kMaxRefused = 64;
/// After running out of file descriptors.
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);

}  // namespace

class HttpServer::Impl final : private Connection::Owner, private HttpHandler {
 public:
  Impl(std::unique_ptr<runtime::Listener> listener, HttpHandler& handler, HttpLimits limits)
      : limits_(limits),
        handler_(handler),
        listener_(std::move(listener)),
        reap_([](void* self) noexcept { static_cast<Impl*>(self)->reap(); }, this) {
    accepting_.start(accept());
  }

  Task<void> close(Duration timeout) {
    accepting_.reset();
    listener_->close();
    for (Connection& connection : connections_) connection.drain();
    if (connections_.empty()) co_return;
    closing_ = true;
    // Whoever is not done by then is cut off.
    static_cast<void>(co_await as_result(with_timeout(wait_until_empty(), timeout)));
    connections_.clear();
  }

  [[nodiscard]] std::string address() const { return listener_->address().text(); }
  [[nodiscard]] std::size_t connections() const noexcept { return connections_.size(); }
  [[nodiscard]] std::uint64_t requests() const noexcept { return requests_; }

 private:
  Task<void> accept() {
    while (true) {
      auto stream = co_await listener_->accept();
      if (stream.ok()) {
        admit(std::move(*stream));
      } else if (stream.error().kind() == ErrorKind::Closed) {
        co_return;
      } else {
        log::warning("http", "accept_failed", stream.error().what());
        co_await sleep(kAcceptPause);
      }
    }
  }

  void admit(std::unique_ptr<runtime::Stream> stream) {
    const bool full = connections_.size() >= limits_.max_connections;
    if (full && connections_.size() >= limits_.max_connections + kMaxRefused) return;
    Connection& connection = connections_.emplace_back(std::move(stream), static_cast<HttpHandler&>(*this), limits_,
                                                       static_cast<Connection::Owner&>(*this));
    if (full) {
      connection.refuse();
    } else {
      connection.start();
    }
  }

  // HttpHandler
  SWITCHYARD_COROUTINE_WRAPPER Task<HttpResponse> handle(const HttpRequest& request) override {
    ++requests_;
    return handler_.handle(request);
  }

  // Connection::Owner
  void on_finished(Connection&) noexcept override { reap_.schedule(); }

  void reap() noexcept {
    std::erase_if(connections_, [](const Connection& connection) { return connection.finished(); });
    if (closing_ && connections_.empty()) empty_.set();
  }

  Task<void> wait_until_empty() { co_await empty_.wait(); }

  HttpLimits limits_;
  HttpHandler& handler_;
  std::unique_ptr<runtime::Listener> listener_;
  std::list<Connection> connections_;
  runtime::AsyncEvent empty_;
  runtime::TurnEnd reap_;
  runtime::OwnedTask accepting_;
  std::uint64_t requests_ = 0;
  bool closing_ = false;
};

HttpServer::HttpServer(std::unique_ptr<runtime::Listener> listener, HttpHandler& handler, HttpLimits limits)
    : impl_(std::make_unique<Impl>(std::move(listener), handler, limits)) {}
HttpServer::~HttpServer() = default;

std::string HttpServer::address() const { return impl_->address(); }
std::size_t HttpServer::connections() const noexcept { return impl_->connections(); }
std::uint64_t HttpServer::requests() const noexcept { return impl_->requests(); }
SWITCHYARD_COROUTINE_WRAPPER Task<void> HttpServer::close(Duration timeout) { return impl_->close(timeout); }

}  // namespace switchyard::inline v0::http
