// A hostile web server against the ResponseParser: any bytes, in any pieces. However they are cut, the outcome is
// the same, and no limit is exceeded.
#include <switchyard/httpc/response_parser.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace switchyard;
using httpc::ResponseParser;

void expect(bool condition) {
  if (!condition) std::abort();
}

/// Feeds in pieces of this size and returns how many bytes were used.
std::size_t feed(ResponseParser& parser, std::string_view input, std::size_t piece) {
  std::size_t used = 0;
  while (used < input.size() && !parser.done()) {
    const std::size_t taken = parser.feed(input.substr(used, piece));
    expect(taken <= piece && (taken != 0 || parser.done()));
    used += taken;
  }
  parser.on_end();
  expect(parser.done());
  return used;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  httpc::ResponseLimits limits;
  limits.header_bytes = 64 + data[0];
  limits.headers = 8;
  limits.chunk_line_bytes = 16;
  limits.body_bytes = 256;
  const auto body = (data[0] & 1) != 0 ? ResponseParser::Body::none : ResponseParser::Body::expected;
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);

  ResponseParser whole(limits, body);
  const std::size_t used = feed(whole, input, std::max<std::size_t>(input.size(), 1));
  ResponseParser pieces(limits, body);
  const std::size_t used_in_pieces = feed(pieces, input, data[1] % 7 + std::size_t{1});
  expect(whole.state() == pieces.state());
  if (whole.state() == ResponseParser::State::complete) {
    expect(used == used_in_pieces);
    expect(whole.keep_alive() == pieces.keep_alive());
    expect(whole.response().status == pieces.response().status && whole.response().status >= 200);
    expect(whole.response().body == pieces.response().body);
    expect(whole.response().headers == pieces.response().headers);
    expect(whole.response().body.size() <= limits.body_bytes);
    expect(whole.response().headers.size() <= limits.headers);
  } else {
    expect(!whole.failure().empty());
  }
  return 0;
}
