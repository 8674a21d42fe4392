#include <switchyard/httpc/response_parser.hpp>

#include <switchyard/base/ascii.hpp>
#include <switchyard/base/units.hpp>

#include <algorithm>
#include <charconv>
#include <exception>
#include <utility>

namespace switchyard::inline v0::httpc {

namespace {

/// Room that a length announced by the peer may take before its bytes are there.
constexpr std::size_t kReservedAtMost = 64 * 1024;

/// tchar of RFC 9110.
bool is_token_character(char c) {
  return base::is_digit(c) || base::is_letter(c) ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

/// What a value and a reason may hold: visible characters, spaces, tabs and bytes above ASCII.
bool is_text_character(char c) { return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != '\x7f'); }

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

template <class Function>
void for_each_item(std::string_view list, Function function) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    if (const std::string_view item = trimmed(list.substr(0, comma)); !item.empty()) function(item);
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
  }
}

}  // namespace

std::string_view Response::header(std::string_view name) const noexcept {
  const auto at = std::ranges::find(headers, name, &std::pair<std::string, std::string>::first);
  return at == headers.end() ? std::string_view() : std::string_view(at->second);
}

bool ResponseParser::fail(std::string_view why) noexcept {
  state_ = State::failed;
  keep_alive_ = false;
  try {
    failure_ = why;
  } catch (const std::exception&) {
    failure_.clear();  // memory ran out
  }
  return false;
}

std::size_t ResponseParser::feed(ByteView in) noexcept {
  try {
    return take(in);
  } catch (const std::exception&) {
    fail("out of memory while reading the answer");
    return in.size();
  }
}

std::size_t ResponseParser::take(ByteView in) {
  std::size_t at = 0;
  if (!in.empty()) started_ = true;
  while (at < in.size() && !done()) {
    switch (part_) {
      case Part::status_line:
      case Part::header_line:
      case Part::trailer_line:
        if (take_line(in, at, limits_.header_bytes - std::min(limits_.header_bytes, head_bytes_), "header_bytes")) {
          head_bytes_ += line_.size() + 2;
          on_line();
          line_.clear();
        }
        break;
      case Part::chunk_size:
      case Part::chunk_end:
        if (take_line(in, at, limits_.chunk_line_bytes, "chunk_line_bytes")) {
          on_line();
          line_.clear();
        }
        break;
      case Part::sized_body:
      case Part::chunk_data: {
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size() - at));
        if (!append_body(in.substr(at, size))) break;
        at += size;
        left_ -= size;
        if (left_ != 0) break;
        if (part_ == Part::sized_body) {
          complete();
        } else {
          part_ = Part::chunk_end;
        }
        break;
      }
      case Part::body_until_end:
        if (append_body(in.substr(at))) at = in.size();
        break;
    }
  }
  return at;
}

bool ResponseParser::take_line(ByteView in, std::size_t& at, std::size_t limit, std::string_view limit_name) {
  const std::size_t end = in.find('\n', at);
  const std::size_t size = (end == ByteView::npos ? in.size() : end) - at;
  if (line_.size() + size > limit + 1) {  // its "\r" does not count
    return fail("the answer's headers are longer than " + std::string(limit_name));
  }
  line_.append(in.substr(at, size));
  at += size;
  if (end == ByteView::npos) return false;
  ++at;
  if (line_.ends_with('\r')) line_.pop_back();
  return true;
}

bool ResponseParser::on_line() {
  switch (part_) {
    case Part::status_line: return status_line();
    case Part::header_line: return line_.empty() ? end_of_head() : header_line();
    case Part::trailer_line:
      if (line_.empty()) complete();
      return true;
    case Part::chunk_size: return chunk_line();
    case Part::chunk_end:
      if (!line_.empty()) return fail("a chunk of the answer is longer than it says");
      part_ = Part::chunk_size;
      return true;
    default: return true;
  }
}

bool ResponseParser::status_line() {
  // HTTP/1.1 200 OK
  const std::string_view line = line_;
  constexpr std::size_t kShortest = std::string_view("HTTP/1.1 200").size();
  const bool well_formed = line.size() >= kShortest && line.starts_with("HTTP/1.") && base::is_digit(line[7]) &&
                           line[8] == ' ' && std::ranges::all_of(line.substr(9, 3), base::is_digit) &&
                           (line.size() == kShortest || line[kShortest] == ' ') &&
                           std::ranges::all_of(line, is_text_character);
  if (!well_formed) {
    return fail(line.starts_with("HTTP/") ? "the status line is malformed" : "the peer does not speak HTTP/1.1");
  }
  http_1_0_ = line[7] == '0';
  response_.status = static_cast<unsigned>((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
  if (response_.status < 100) return fail("the status line is malformed");
  response_.reason = trimmed(line.substr(kShortest));
  part_ = Part::header_line;
  return true;
}

bool ResponseParser::header_line() {
  const std::string_view line = line_;
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  if (colon == std::string_view::npos || name.empty() || !std::ranges::all_of(name, is_token_character)) {
    return fail("a header line is malformed");
  }
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (!std::ranges::all_of(value, is_text_character)) return fail("a header holds control characters");
  if (response_.headers.size() == limits_.headers) {
    return fail("the answer has more headers than headers (" + std::to_string(limits_.headers) + ")");
  }
  if (base::equal_ignoring_case(name, "content-length")) {
    if (!length_header(value)) return false;
  } else if (base::equal_ignoring_case(name, "transfer-encoding")) {
    if (has_coding_ || !base::equal_ignoring_case(value, "chunked"))
      return fail("the transfer encoding is none that is understood");
    has_coding_ = true;
  } else if (base::equal_ignoring_case(name, "connection")) {
    for_each_item(value, [&](std::string_view option) {
      if (base::equal_ignoring_case(option, "close")) says_close_ = true;
      if (base::equal_ignoring_case(option, "keep-alive")) says_keep_alive_ = true;
    });
  }
  response_.headers.emplace_back(base::lowered(name), value);
  return true;
}

bool ResponseParser::length_header(std::string_view value) {
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
  const bool number = !value.empty() && error == std::errc() && end == value.data() + value.size();
  if (!number || (has_length_ && length != length_)) return fail("the answer's Content-Length makes no sense");
  has_length_ = true;
  length_ = length;
  return true;
}

bool ResponseParser::end_of_head() {
  if (has_length_ && has_coding_) return fail("the answer has a Content-Length and a transfer encoding");
  if (has_coding_ && http_1_0_) return fail("HTTP/1.0 knows no transfer encoding");
  const unsigned status = response_.status;
  if (status == 101) return fail("the peer changes to a protocol that was not asked for");
  if (status < 200) {
    if (++interim_ > limits_.interim_answers) {
      return fail("there are more interim answers than interim_answers (" +
                  std::to_string(limits_.interim_answers) + ")");
    }
    response_ = {};
    head_bytes_ = 0;
    has_length_ = has_coding_ = says_close_ = says_keep_alive_ = false;
    part_ = Part::status_line;
    return true;
  }
  keep_alive_ = !says_close_ && (!http_1_0_ || says_keep_alive_);
  if (body_ == Body::none || status == 204 || status == 304 || (has_length_ && length_ == 0)) {
    complete();
  } else if (has_coding_) {
    part_ = Part::chunk_size;
    state_ = State::body;
  } else if (has_length_) {
    if (length_ > limits_.body_bytes) return too_large();
    response_.body.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(length_, kReservedAtMost)));
    left_ = length_;
    part_ = Part::sized_body;
    state_ = State::body;
  } else {
    keep_alive_ = false;
    part_ = Part::body_until_end;
    state_ = State::body;
  }
  return true;
}

bool ResponseParser::chunk_line() {
  std::string_view size = line_;
  size = trimmed(size.substr(0, size.find(';')));
  const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), left_, 16);
  if (size.empty() || error != std::errc() || end != size.data() + size.size()) {
    return fail("the size of a chunk is malformed");
  }
  if (left_ == 0) {
    part_ = Part::trailer_line;
    return true;
  }
  part_ = Part::chunk_data;
  return left_ <= limits_.body_bytes - response_.body.size() || too_large();
}

bool ResponseParser::append_body(ByteView bytes) {
  if (bytes.size() > limits_.body_bytes - response_.body.size()) return too_large();
  response_.body.append(bytes);
  return true;
}

bool ResponseParser::too_large() {
  return fail("the answer is longer than max_body_bytes (" + format_size(limits_.body_bytes) + ")");
}

void ResponseParser::complete() noexcept { state_ = State::complete; }

void ResponseParser::on_end() noexcept {
  if (done()) return;
  if (part_ == Part::body_until_end) {
    complete();
  } else {
    fail(started_ ? "the peer closed the connection in the middle of the answer"
                  : "the peer closed the connection without an answer");
  }
}

}  // namespace switchyard::inline v0::httpc
