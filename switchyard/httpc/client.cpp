#include <switchyard/httpc/client.hpp>

#include <switchyard/base/ascii.hpp>
#include <switchyard/base/units.hpp>
#include <switchyard/base/version.hpp>
#include <switchyard/httpc/connection.hpp>
#include <switchyard/httpc/url.hpp>
#include <switchyard/runtime/loop.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

namespace switchyard::inline v0::httpc {

namespace {

constexpr std::array<std::string_view, 5> kRepeatableMethods{"GET", "HEAD", "PUT", "DELETE", "OPTIONS"};

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return base::is_digit(c) || base::is_letter(c) ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

/// A header whose value could end it and begin another one.
bool is_one_line(std::string_view value) {
  return std::ranges::none_of(value, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

Error about(const Request& request, const Error& error) {
  // Queries may hold tokens: they are left out.
  return error.with_context(request.method + " " + request.url.substr(0, request.url.find('?')));
}

Result<std::string> request_bytes(const Request& request, const Url& url) {
  if (!is_token(request.method)) return Error(ErrorKind::Config, "the method is malformed");
  std::string out = request.method + " " + url.target + " HTTP/1.1\r\n";
  const auto given = [&](std::string_view name) {
    return std::ranges::any_of(request.headers,
                               [&](const auto& header) { return base::equal_ignoring_case(header.first, name); });
  };
  const auto add = [&](std::string_view name, std::string_view value) {
    if (!given(name)) out.append(name).append(": ").append(value).append("\r\n");
  };
  add("Host", url.authority());
  add("User-Agent", "switchyard/" + std::string(kVersion));
  add("Accept", "*/*");
  if (!request.content_type.empty()) {
    if (!is_one_line(request.content_type)) return Error(ErrorKind::Config, "content_type holds a line break");
    add("Content-Type", request.content_type);
  }
  for (const auto& [name, value] : request.headers) {
    if (!is_token(name) || !is_one_line(value)) {
      return Error(ErrorKind::Config,
                   "the header '" + (is_token(name) ? name : std::string("?")) + "' is malformed");
    }
    if (base::equal_ignoring_case(name, "content-length") || base::equal_ignoring_case(name, "transfer-encoding")) {
      return Error(ErrorKind::Config, "the header '" + name + "' follows from the body and can't be given");
    }
    out.append(name).append(": ").append(value).append("\r\n");
  }
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    out += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  out += "\r\n";
  out += request.body;
  return out;
}

bool is_repeatable(const Request& request) {
  if (request.repeatable != Request::Repeatable::by_method) {
    return request.repeatable == Request::Repeatable::yes;
  }
  return std::ranges::find(kRepeatableMethods, request.method) != kRepeatableMethods.end();
}

}  // namespace

class Client::Impl {
 public:
  explicit Impl(ClientOptions options) : options_(std::move(options)) {}

  Task<Result<Response>> send(Request request) {
    const TimePoint deadline = deadline_after(runtime::now(), request.timeout);
    auto url = Url::parse(request.url);
    if (!url.ok()) co_return url.error();
    auto bytes = request_bytes(request, *url);
    if (!bytes.ok()) co_return about(request, bytes.error());
    auto answer = co_await attempt(request, *url, std::move(*bytes), deadline);
    if (answer.ok()) co_return answer;
    const bool late = answer.error().kind() == ErrorKind::Deadline || runtime::now() >= deadline;
    co_return about(request, late ? answer.error()
                                        .with_kind(ErrorKind::Deadline)
                                        .with_context("timeout (" + format_duration(request.timeout) + ")")
                                  : answer.error());
  }

  [[nodiscard]] std::size_t idle() const noexcept {
    return static_cast<std::size_t>(
        std::ranges::count_if(idle_, [](const Kept& kept) { return kept.connection->usable(); }));
  }

 private:
  struct Kept {
    std::string origin;
    std::unique_ptr<Connection> connection;
  };

  // References into send(), which awaits it.
  Task<Result<Response>> attempt(const Request& request, const Url& url, std::string bytes, TimePoint deadline) {
    const ResponseLimits limits{.body_bytes = request.max_body_bytes};
    const auto body = request.method == "HEAD" ? ResponseParser::Body::none : ResponseParser::Body::expected;
    const std::string origin = url.origin();
    if (std::unique_ptr<Connection> kept = take_kept(origin)) {
      auto answer = co_await kept->exchange(bytes, limits, body, deadline);
      // The server may have closed just as we asked. If it had begun to answer it had not.
      const bool stale = !answer.ok() && answer.error().kind() == ErrorKind::Unavailable && !kept->answered();
      if (!stale || !is_repeatable(request)) {
        keep(origin, std::move(kept));
        co_return answer;
      }
    }
    std::shared_ptr<const runtime::TlsContext> tls;
    if (url.tls) {
      auto context = tls_context();
      if (!context.ok()) co_return context.error();
      tls = *context;
    }
    auto opened = co_await Connection::open(url, std::move(tls), deadline);
    if (!opened.ok()) co_return opened.error();
    auto answer = co_await (*opened)->exchange(std::move(bytes), limits, body, deadline);
    keep(origin, std::move(*opened));
    co_return answer;
  }

  Result<std::shared_ptr<const runtime::TlsContext>> tls_context() {
    if (!tls_) {
      auto made = runtime::TlsContext::client(options_.tls);
      if (!made.ok()) return made.error();
      tls_ = *made;
    }
    return tls_;
  }

  std::unique_ptr<Connection> take_kept(std::string_view origin) {
    std::erase_if(idle_, [](const Kept& kept) { return !kept.connection->usable(); });
    const auto at = std::ranges::find(idle_, origin, &Kept::origin);
    if (at == idle_.end()) return nullptr;
    std::unique_ptr<Connection> connection = std::move(at->connection);
    idle_.erase(at);
    return connection;
  }

  void keep(const std::string& origin, std::unique_ptr<Connection> connection) {
    if (!connection->usable() || options_.max_idle == 0) return;
    std::erase_if(idle_, [&](const Kept& kept) { return kept.origin == origin || !kept.connection->usable(); });
    if (idle_.size() >= options_.max_idle) idle_.erase(idle_.begin());
    connection->rest(options_.idle_timeout);
    idle_.push_back({origin, std::move(connection)});
  }

  ClientOptions options_;
  std::shared_ptr<const runtime::TlsContext> tls_;
  std::vector<Kept> idle_;  // the longest unused first
};

Client::Client(ClientOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Client::~Client() = default;

Task<Result<Response>> Client::send(Request request) { co_return co_await impl_->send(std::move(request)); }

Task<Result<Response>> Client::get(std::string url, CallOptions options) {
  Request request;
  request.url = std::move(url);
  request.headers = std::move(options.headers);
  request.timeout = options.timeout;
  request.max_body_bytes = options.max_body_bytes;
  co_return co_await impl_->send(std::move(request));
}

Task<Result<Response>> Client::post(std::string url, std::string content_type, std::string body,
                                    CallOptions options) {
  Request request;
  request.method = "POST";
  request.url = std::move(url);
  request.headers = std::move(options.headers);
  request.body = std::move(body);
  request.content_type = std::move(content_type);
  request.timeout = options.timeout;
  request.max_body_bytes = options.max_body_bytes;
  co_return co_await impl_->send(std::move(request));
}

std::size_t Client::idle() const noexcept { return impl_->idle(); }

}  // namespace switchyard::inline v0::httpc
