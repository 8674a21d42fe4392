#include <switchyard/http/message.hpp>

#include <array>

namespace switchyard::inline v0::http {

namespace {

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

enum class Plus : bool { literal, is_space };

/// False for a broken escape, and for an escaped NUL, which means nothing good in any path.
bool decode(std::string_view text, Plus plus, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+' && plus == Plus::is_space) c = ' ';
    if (c == '%') {
      if (text.size() - i < 3) return false;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0 || (high == 0 && low == 0)) return false;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    out += c;
  }
  return true;
}

bool decode_query(std::string_view text, HttpRequest& request) {
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(pair.size() < text.size() ? pair.size() + 1 : pair.size());
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    auto& [name, value] = request.query.emplace_back();
    if (!decode(pair.substr(0, equals), Plus::is_space, name)) return false;
    if (equals != std::string_view::npos && !decode(pair.substr(equals + 1), Plus::is_space, value)) return false;
  }
  return true;
}

}  // namespace

std::string_view HttpRequest::header(std::string_view name) const noexcept {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

bool HttpRequest::has_query(std::string_view name) const noexcept {
  for (const auto& [key, value] : query) {
    if (key == name) return true;
  }
  return false;
}

std::vector<std::string_view> HttpRequest::query_values(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [key, value] : query) {
    if (key == name) values.push_back(value);
  }
  return values;
}

HttpResponse HttpResponse::text(unsigned status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

HttpResponse HttpResponse::json(unsigned status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.content_type = "application/json";
  response.body = std::move(body);
  return response;
}

std::string_view reason_phrase(unsigned status) noexcept {
  switch (status) {
    case 200: return "OK";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 417: return "Expectation Failed";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Unknown";
  }
}

bool parse_target(std::string_view target, HttpRequest& request) {
  request.target = target;
  request.path.clear();
  request.query.clear();
  if (target == "*") {
    request.path = "*";
    return true;
  }
  // The absolute form (RFC 9112, 3.2.2), as proxies send it.
  if (!target.starts_with('/')) {
    const std::size_t authority = target.find("://");
    if (authority == std::string_view::npos) return false;
    const std::size_t path = target.find_first_of("/?#", authority + 3);
    target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
    if (!target.starts_with('/')) return false;
  }
  target = target.substr(0, target.find('#'));
  const std::size_t question = target.find('?');
  if (!decode(target.substr(0, question), Plus::literal, request.path)) return false;
  return question == std::string_view::npos || decode_query(target.substr(question + 1), request);
}

}  // namespace switchyard::inline v0::http
