// A web server for tests: it says what the test wants, one reply a request.
#pragma once

#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/listener.hpp>
#include <switchyard/runtime/stream.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0::httpc {

/// What the server does with the next request.
struct Reply {
  std::string bytes;
  enum class Then : std::uint8_t { keep, close } then = Then::keep;
};

inline std::string ok(std::string_view body, std::string_view headers = "") {
  return "HTTP/1.1 200 OK\r\n" + std::string(headers) + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

/// Runs on the shard of the test. Without a reply left it gives `otherwise`, or is silent if that is empty.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::shared_ptr<const runtime::TlsContext> tls = nullptr)
      : listener_(std::move(*runtime::Listener::open(*runtime::SocketAddress::ip("127.0.0.1", 0)))),
        tls_(std::move(tls)) {
    spawn(accept(*this, listener_));
  }
  ~ScriptedServer() { listener_->close(); }

  std::deque<Reply> replies;
  std::string otherwise;
  std::vector<std::string> requests;
  std::size_t connections = 0;

  [[nodiscard]] std::string url(std::string_view target, std::string_view scheme = "http",
                                std::string_view host = "127.0.0.1") const {
    return std::string(scheme) + "://" + std::string(host) + ":" + std::to_string(listener_->address().port()) +
           std::string(target);
  }
  /// Ends the connections that are open.
  void hang_up() { clients_.clear(); }

 private:
  class Peer final : public runtime::Stream::Handler {
   public:
    Peer(ScriptedServer& server, std::unique_ptr<runtime::Stream> stream)
        : server_(server), stream_(std::move(stream)) {}
    runtime::Stream& stream() { return *stream_; }
    void start() { stream_->start(this); }
    void on_data(base::ReadBuffer& in) noexcept override {
      const std::string_view bytes = in.readable();
      const std::size_t head = bytes.find("\r\n\r\n");
      if (head == std::string_view::npos) return;
      std::size_t length = 0;
      if (const std::size_t at = bytes.find("Content-Length: "); at < head)
        length = std::stoul(std::string(bytes.substr(at + 16)));
      if (bytes.size() < head + 4 + length) return;
      server_.requests.emplace_back(bytes);
      in.consume(in.size());
      if (server_.replies.empty()) {
        stream_->out().put(server_.otherwise);
        stream_->flush_now();
        return;
      }
      const Reply reply = server_.replies.front();
      server_.replies.pop_front();
      stream_->out().put(reply.bytes);
      stream_->flush_now();
      if (reply.then == Reply::Then::close) stream_->close();
    }
    void on_closed(const Error&) noexcept override {}

   private:
    ScriptedServer& server_;
    std::unique_ptr<runtime::Stream> stream_;
  };

  /// `listener` outlives the server and, once closed, says that the server is gone.
  static Task<void> accept(ScriptedServer& server, std::shared_ptr<runtime::Listener> listener) {
    for (;;) {
      auto stream = co_await listener->accept();
      if (!stream.ok()) co_return;
      ++server.connections;
      server.clients_.push_back(std::make_unique<Peer>(server, std::move(*stream)));
      Peer& peer = *server.clients_.back();
      if (server.tls_) {
        auto secured = co_await peer.stream().start_tls(server.tls_, {}, kNever);
        if (!secured.ok()) continue;
      }
      peer.start();
    }
  }

  std::shared_ptr<runtime::Listener> listener_;
  std::shared_ptr<const runtime::TlsContext> tls_;
  std::vector<std::unique_ptr<Peer>> clients_;
};

}  // namespace switchyard::inline v0::httpc
