#include <switchyard/http/request_parser.hpp>

#include <switchyard/base/ascii.hpp>
#include <switchyard/base/units.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

namespace switchyard::inline v0::http {

namespace asio = boost::asio;
namespace beast = boost::beast::http;

struct RequestParser::Impl {
  std::optional<beast::request_parser<beast::string_body>> parser;
  static void explain(RequestParser& self, const boost::system::error_code& error, ByteView in);
};

RequestParser::RequestParser(const HttpLimits& limits) : limits_(limits), impl_(std::make_unique<Impl>()) {
  reset();
}
RequestParser::~RequestParser() = default;

void RequestParser::reset() {
  auto& parser = impl_->parser.emplace();
  parser.eager(true);
  parser.header_limit(static_cast<std::uint32_t>(
      std::min<std::size_t>(limits_.header_bytes, std::numeric_limits<std::uint32_t>::max())));
  parser.body_limit(limits_.body_bytes);
  request_ = {};
  failure_.clear();
  failure_status_ = 0;
  state_ = State::head;
  started_ = keep_alive_ = expect_continue_ = false;
}

std::size_t RequestParser::feed(ByteView in) {
  auto& parser = *impl_->parser;
  std::size_t taken = 0;
  while (taken < in.size()) {
    started_ = true;
    boost::system::error_code error;
    const std::size_t used = parser.put(asio::const_buffer(in.data() + taken, in.size() - taken), error);
    taken += used;
    if (error && error != beast::error::need_more) {
      Impl::explain(*this, error, in);
      return taken;
    }
    if (parser.is_header_done() && state_ == State::head) {
      state_ = State::body;
      const auto& head = parser.get();
      expect_continue_ = !parser.is_done() && head.version() >= 11 &&
                         base::lowered(std::string_view(head[beast::field::expect])) == "100-continue";
    }
    if (parser.is_done()) {
      finish();
      return taken;
    }
    if (error == beast::error::need_more || used == 0) break;
  }
  return taken;
}

void RequestParser::Impl::explain(RequestParser& self, const boost::system::error_code& error, ByteView in) {
  if (error == beast::error::header_limit) {
    self.fail(431, "the request line and headers are longer than header_bytes (" +
                       format_size(self.limits_.header_bytes) + ")");
  } else if (error == beast::error::body_limit) {
    self.fail(413, "the body is longer than body_bytes (" + format_size(self.limits_.body_bytes) + ")");
  } else if (error == beast::error::bad_version && in.find(" HTTP/") != ByteView::npos) {
    self.fail(505, "this server speaks HTTP/1.1 and HTTP/1.0");
  } else {
    self.fail(400, "the request is malformed: " + error.message());
  }
}

void RequestParser::finish() {
  auto& parser = *impl_->parser;
  keep_alive_ = parser.keep_alive();
  auto message = parser.release();
  for (const auto& field : message) {
    request_.headers.emplace_back(base::lowered(std::string_view(field.name_string())), std::string(field.value()));
  }
  request_.method = std::string(message.method_string());
  request_.body = std::move(message.body());
  // RFC 9112, 3.2: exactly one Host in HTTP/1.1.
  const auto hosts =
      std::ranges::count_if(request_.headers, [](const auto& header) { return header.first == "host"; });
  if (hosts > 1 || (hosts == 0 && message.version() >= 11)) {
    fail(400, hosts > 1 ? "more than one Host header" : "the Host header is missing");
    return;
  }
  if (!parse_target(std::string_view(message.target()), request_)) {
    fail(400, "the request target is malformed");
    return;
  }
  state_ = State::complete;
}

bool RequestParser::take_expect_continue() noexcept { return std::exchange(expect_continue_, false); }

void RequestParser::fail(unsigned status, std::string text) {
  failure_status_ = status;
  failure_ = std::move(text);
  keep_alive_ = false;
  state_ = State::failed;
}

}  // namespace switchyard::inline v0::http
