// The ceiling of the client benchmark: the decoder of the library alone. The server's answer to each query is
// recorded once over a plain socket; then the same bytes are given to the protocol machine again and again, and the
// rows become the same objects as in the other programs. No socket, no loop, no server in the measured part.
#include "worker.hpp"

#include <switchyard/config/connection_string.hpp>
#include <switchyard/protocol/messages/startup_packet.hpp>
#include <switchyard/protocol/pipeline.hpp>
#include <switchyard/session/result_states.hpp>
#include <switchyard/values/parameters.hpp>
#include <switchyard/values/wrappers.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

namespace sy = switchyard;
namespace protocol = sy::protocol;
using workload::Query;

/// A session on a blocking socket that keeps what it hears.
class Recorder {
 public:
  explicit Recorder(std::string_view dsn) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const sy::ConnectionOptions options = sy::parse_connection_string(dsn).value_or_throw();
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options.hosts.front().port);
    inet_pton(AF_INET, options.hosts.front().host.c_str(), &address.sin_addr);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("the server can't be reached");
    }
    sy::base::WriteBuffer out;
    (void)protocol::encode(
        out, protocol::StartupMessage{.parameters = {{"user", options.user}, {"database", options.dbname}}});
    exchange(out);
  }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;
  ~Recorder() { ::close(socket_); }

  /// Sends what is in `out` and gives everything up to ReadyForQuery.
  std::string exchange(sy::base::WriteBuffer& out) {
    constexpr std::string_view kReady("Z\0\0\0\5I", 6);
    if (::send(socket_, out.view().data(), out.size(), 0) != static_cast<ssize_t>(out.size())) {
      throw std::runtime_error("the server does not listen");
    }
    out.clear();
    std::string answer;
    while (!answer.ends_with(kReady)) {
      char piece[64 << 10];
      const ssize_t n = ::recv(socket_, piece, sizeof piece, 0);
      if (n <= 0) throw std::runtime_error("the server hung up");
      answer.append(piece, static_cast<std::size_t>(n));
    }
    return answer;
  }

 private:
  int socket_;
};

/// Keeps the columns of a Describe.
struct DescriptionSink final : protocol::ResponseSink {
  void on_row_description(std::shared_ptr<const protocol::RowDescription> columns) noexcept override {
    description = std::move(columns);
  }
  void on_error(const sy::ServerFields& fields) noexcept override { error = fields.message; }
  std::shared_ptr<const protocol::RowDescription> description;
  std::string error;
};

/// One statement: its recorded answer, and a machine to play it to.
template <class T>
class Replay {
 public:
  Replay(Recorder& recorder, const char* sql, sy::Parameters parameters) : parameters_(std::move(parameters)) {
    check(pipeline_.parse("", sql, parameters_.types(), &describer_));
    check(pipeline_.describe_statement("", &describer_));
    submit(describer_);
    answer_ = recorder.exchange(out_);
    play();
    if (!describer_.description) throw std::runtime_error(std::string(sql) + ": " + describer_.error);
    // The statement was described with its first run; what is recorded is a run of a prepared one.
    submit(describer_);
    answer_ = recorder.exchange(out_);
    play();
  }

  std::uint64_t run_once() {
    auto state = sy::session::AllRowsState<T>::create();
    state->on_describe(describer_.description);
    submit(*state);
    play();
    out_.clear();
    if (state->error()) throw *state->error();
    return state->take().size();
  }

 private:
  /// What one recv takes at most.
  static constexpr std::size_t kPiece = 64 << 10;

  static void check(protocol::Pipeline::Submitted submitted) {
    if (submitted != protocol::Pipeline::Submitted::ok) throw protocol::Pipeline::to_error(submitted);
  }
  void submit(protocol::ResponseSink& sink) {
    const protocol::BindArguments arguments{
        .formats = parameters_.formats(), .count = parameters_.size(), .values = parameters_.value_bytes()};
    check(pipeline_.bind_execute("", arguments, protocol::kAllBinary, &sink));
    check(pipeline_.sync(nullptr));
  }
  void play() {
    for (std::string_view rest = answer_; !rest.empty();) {
      const std::size_t size = std::min(rest.size(), kPiece);
      std::memcpy(in_.prepare(kPiece), rest.data(), size);
      in_.commit(size);
      rest.remove_prefix(size);
      if (pipeline_.on_bytes(in_, events_) != protocol::Pipeline::Outcome::ok) throw *pipeline_.error();
    }
  }

  sy::Parameters parameters_;
  sy::base::WriteBuffer out_;
  sy::base::ReadBuffer in_;
  protocol::SessionEvents events_;
  protocol::Pipeline pipeline_{out_};
  DescriptionSink describer_;
  std::string answer_;
};

template <class T>
void run_slice(Recorder& recorder, const char* sql, sy::Parameters parameters, double seconds) {
  Replay<T> replay(recorder, sql, std::move(parameters));
  replay.run_once();
  worker::Count count;
  const worker::Slice slice(seconds);
  while (slice.running()) {
    count.rows += replay.run_once();
    ++count.statements;
  }
  slice.report(count);
}

void run_slice(Recorder& recorder, const worker::Request& request) {
  switch (request.query) {
    case Query::pg_type: {
      sy::Parameters parameters;
      if (!parameters.encode(-1, true).ok()) throw std::runtime_error("the arguments can't be encoded");
      run_slice<workload::PgType>(recorder, workload::kPgType, std::move(parameters), request.seconds);
      break;
    }
    case Query::series: run_slice<std::int32_t>(recorder, workload::kSeries, {}, request.seconds); break;
    case Query::bytea: run_slice<sy::Bytes>(recorder, workload::kBytea, {}, request.seconds); break;
    case Query::int_array:
      run_slice<std::vector<std::int32_t>>(recorder, workload::kIntArray, {}, request.seconds);
      break;
    case Query::one: run_slice<std::int32_t>(recorder, workload::kOne, {}, request.seconds); break;
    case Query::batch:
    case Query::copy: worker::say_unsupported(); break;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    Recorder recorder(argv[1]);
    worker::say_ready("canned bytes");
    while (const auto request = worker::next_request()) run_slice(recorder, *request);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
