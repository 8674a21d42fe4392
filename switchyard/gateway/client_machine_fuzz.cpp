// A client that sends anything, to a server that answers as one would, or with anything: what reaches a server are
// complete messages that a client may send, and nothing that comes from either side does more than end the client.
#include <switchyard/gateway/client_machine.hpp>
#include <switchyard/gateway/lane_group.hpp>
#include <switchyard/protocol/error_fields.hpp>
#include <switchyard/protocol/frame.hpp>
#include <switchyard/protocol/messages/extended.hpp>
#include <switchyard/protocol/messages/query.hpp>
#include <switchyard/protocol/messages/session.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

using namespace switchyard;
using gateway::ClientMachine;

constexpr std::uint32_t kMaxMessage = 8192;

void expect(bool condition) {
  if (!condition) std::abort();
}

void put(base::ReadBuffer& in, std::string_view bytes) {
  std::memcpy(in.prepare(bytes.size() + 1), bytes.data(), bytes.size());
  in.commit(bytes.size());
}

/// Answers in the right order; what it answers is chosen by the input.
class Server {
 public:
  explicit Server(std::string_view choices) : choices_(choices) {}

  /// False: the bytes are no messages of a client.
  bool take(std::string_view bytes) {
    while (!bytes.empty()) {
      const protocol::Frame frame = protocol::next_frame(bytes, protocol::frontend_limits());
      if (frame.status != protocol::FrameStatus::complete) return false;
      bytes.remove_prefix(frame.total);
      answer(frame);
    }
    return true;
  }
  base::WriteBuffer answers;

 private:
  unsigned choose(unsigned count) {
    if (choices_.empty()) return 0;
    const auto choice = static_cast<unsigned char>(choices_[at_++ % choices_.size()]);
    return choice % count;
  }
  void error(bool in_query) {
    protocol::encode_error_response(
        answers, protocol::make_fields("ERROR", choose(2) == 0 ? "26000" : "42601", "sw_x_1 is not there"));
    if (status_ == 'T') status_ = 'E';
    skips_ = !in_query;
  }
  void complete() {
    constexpr const char* kTags[] = {"SELECT 1", "BEGIN", "COMMIT", "ROLLBACK", "SET", "LISTEN"};
    const unsigned tag = choose(6);
    if (tag == 1) status_ = 'T';
    if (tag == 2 || tag == 3) status_ = 'I';
    (void)encode(answers, protocol::CommandComplete{kTags[tag]});
  }
  void rows(std::string_view sql) {
    // As many columns as a question of the gateway's own asks for.
    const auto columns = static_cast<std::uint16_t>(
        sql.starts_with("SELECT pg_catalog.current_setting") ? 1 + std::ranges::count(sql, ',') / 2 : choose(6));
    answers.put_u8('D');
    answers.put_i32(static_cast<std::int32_t>(4 + 2 + columns * 5));
    answers.put_u16(columns);
    for (unsigned i = 0; i < columns; ++i) {
      answers.put_i32(1);
      answers.put_u8(choose(2) == 0 ? 't' : 'f');
    }
  }
  void answer(const protocol::Frame& frame) {
    if (skips_ && frame.type != 'S') return;
    const bool fails = choose(8) == 1;
    if (choose(16) == 1)
      (void)encode(answers, protocol::ParameterStatus{"TimeZone", choose(2) == 0 ? "UTC" : "CET"});
    switch (frame.type) {
      case 'Q':
        if (fails) {
          error(true);
        } else {
          rows(frame.body);
          complete();
        }
        return (void)encode(answers, protocol::ReadyForQuery{status_});
      case 'S': skips_ = false; return (void)encode(answers, protocol::ReadyForQuery{status_});
      case 'F':
        if (fails) {
          error(true);
        } else {
          answers.put(std::string_view("V\0\0\0\x08\xff\xff\xff\xff", 9));
        }
        return (void)encode(answers, protocol::ReadyForQuery{status_});
      default: break;
    }
    if (fails && frame.type != 'H' && frame.type != 'd') return error(false);
    switch (frame.type) {
      case 'P': return (void)encode(answers, protocol::ParseComplete());
      case 'B': return (void)encode(answers, protocol::BindComplete());
      case 'C': return (void)encode(answers, protocol::CloseComplete());
      case 'D':
        if (!frame.body.empty() && frame.body.front() == 'S')
          (void)encode(answers, protocol::ParameterDescription{});
        return (void)encode(answers, protocol::NoData());
      case 'E':
        if (choose(8) == 1) return answers.put(std::string_view("G\0\0\0\x07\0\0\0", 8));
        return complete();
      default: return;
    }
  }

  std::string_view choices_;
  std::size_t at_ = 0;
  char status_ = 'I';
  bool skips_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kChoices = 16;
  if (size < 3 + kChoices) return 0;
  const unsigned options = data[0];
  const std::size_t piece = data[1] + std::size_t{1};
  const bool speaks_nonsense = options % 4 == 3;
  const std::string_view choices(reinterpret_cast<const char*>(data) + 2, kChoices);
  std::string_view input(reinterpret_cast<const char*>(data) + 2 + kChoices, size - 2 - kChoices);

  gateway::Interns interns("sw_x_");
  gateway::SettingSets sets;
  gateway::SessionState state;
  Server server(choices);
  base::WriteBuffer client_out;
  base::WriteBuffer server_out;
  base::ReadBuffer client_in;
  base::ReadBuffer server_in;
  ClientMachine machine(
      {.interns = interns, .sets = sets, .harmless = {}, .max_prepared = 2, .keeps_unnamed = (options & 4) != 0},
      client_out, 7, kMaxMessage);
  machine.begin(nullptr, nullptr);
  if ((options & 8) != 0) machine.watch_writes();
  if ((options & 16) != 0) machine.use_hub();

  while (!input.empty() && machine.state() == ClientMachine::State::running) {
    const std::size_t part = std::min(piece, input.size());
    put(client_in, input.substr(0, part));
    input.remove_prefix(part);
    (void)gateway::read_lane_group(client_in.readable(), kMaxMessage);
    for (int turn = 0; turn < 200 && machine.state() == ClientMachine::State::running; ++turn) {
      machine.on_client(client_in);
      if (machine.state() != ClientMachine::State::running) break;
      if (!machine.attached()) {
        if (!machine.wants_session()) break;
        const bool read = machine.begins_read(client_in.readable());
        machine.attach(state, server_out, 1,
                       read ? ClientMachine::Use::one_transaction : ClientMachine::Use::anything);
        continue;
      }
      if (machine.take_hub_question() != nullptr) machine.on_hub((options & 32) != 0);
      expect(server.take(server_out.view()));
      server_out.clear();
      if (!server.answers.empty()) {
        put(server_in, speaks_nonsense ? choices : server.answers.view());
        server.answers.clear();
        machine.on_server(server_in);
        expect(machine.state() != ClientMachine::State::server_broke || !machine.error().empty());
        continue;
      }
      if (!machine.settled()) {
        if (!machine.held()) break;
        continue;
      }
      machine.settle();
      if (!server_out.empty()) continue;
      if (machine.spoilt()) {
        machine.detach();
        state = gateway::SessionState();
        continue;
      }
      if (machine.quiet() && !any(machine.pins())) {
        machine.detach();
        continue;
      }
      machine.judge_again();
      if (!machine.held()) break;
    }
    expect(machine.state() != ClientMachine::State::no_memory);
    expect(machine.state() != ClientMachine::State::client_broke || !machine.error().empty());
    client_out.clear();
  }
  return 0;
}
