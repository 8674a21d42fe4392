#include <switchyard/gateway/handover_message.hpp>

#include <switchyard/base/buffer.hpp>
#include <switchyard/protocol/body_reader.hpp>

#include <algorithm>
#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

using protocol::BodyReader;

class Writer {
 public:
  void put(std::uint32_t number) { out_.put_u32(number); }
  void put(bool flag) { out_.put_u8(flag ? 1 : 0); }
  void put(std::string_view text) {
    out_.put_u32(static_cast<std::uint32_t>(text.size()));
    out_.put(text);
  }
  void put(const Settings& settings) {
    put(static_cast<std::uint32_t>(settings.size()));
    for (const auto& [name, value] : settings) {
      put(std::string_view(name));
      put(std::string_view(value));
    }
  }
  void put(const ClientMemory::Statement& statement) {
    put(std::string_view(statement.name));
    put(std::string_view(statement.body));
    put(statement.settings);
  }
  [[nodiscard]] std::string take() const { return std::string(out_.view()); }

 private:
  base::WriteBuffer out_;
};

/// Lengths are those of what is really there: nothing is reserved for what a number promises.
class Reader {
 public:
  explicit Reader(ByteView bytes) noexcept : in_(bytes) {}
  std::uint32_t number() { return in_.integer<std::uint32_t>(); }
  bool flag() {
    const std::uint8_t value = in_.byte();
    if (value > 1) in_.reject();
    return value == 1;
  }
  std::string text() { return std::string(in_.bytes(number())); }
  Settings settings() {
    Settings out;
    for (std::uint32_t count = number(); count > 0 && !in_.failed(); --count) {
      std::string name = text();
      out.emplace_back(std::move(name), text());
    }
    return out;
  }
  ClientMemory::Statement statement() {
    ClientMemory::Statement out;
    out.name = text();
    out.body = text();
    out.settings = settings();
    return out;
  }
  void reject() noexcept { in_.reject(); }
  [[nodiscard]] bool failed() const noexcept { return in_.failed(); }
  [[nodiscard]] bool finished() const noexcept { return in_.finished(); }

 private:
  BodyReader in_;
};

std::string_view text_of(const protocol::crypto::Digest& digest) noexcept {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

void put(Writer& out, const HandoverHello& hello) {
  out.put(hello.version);
  out.put(static_cast<std::uint32_t>(hello.ids.size()));
  for (const std::uint32_t id : hello.ids) out.put(id);
}
void put(Writer& /*out*/, const HandoverDoor& /*door*/) {}
void put(Writer& /*out*/, const HandoverReady& /*ready*/) {}
void put(Writer& /*out*/, const HandoverDone& /*done*/) {}
void put(Writer& out, const HandoverCancel& cancel) {
  out.put(static_cast<std::uint32_t>(cancel.process_id));
  out.put(std::string_view(cancel.secret));
}
void put(Writer& out, const TravellingClient::Role& role) {
  out.put(std::string_view(role.password.reveal()));
  out.put(role.keys.has_value());
  if (!role.keys) return;
  out.put(text_of(role.keys->client));
  out.put(text_of(role.keys->server));
}
void put(Writer& out, const TravellingClient& client) {
  out.put(client.id);
  out.put(std::string_view(client.secret));
  out.put(std::string_view(client.user));
  out.put(std::string_view(client.database));
  out.put(std::string_view(client.application_name));
  out.put(client.shares);
  out.put(client.looked_up);
  out.put(client.role.has_value());
  if (client.role) put(out, *client.role);
  const ClientMemory& memory = client.memory;
  out.put(memory.startup);
  out.put(memory.settings);
  out.put(memory.parameters);
  out.put(memory.login_parameters);
  out.put(static_cast<std::uint32_t>(memory.statements.size()));
  for (const ClientMemory::Statement& statement : memory.statements) out.put(statement);
  out.put(memory.unnamed.has_value());
  if (memory.unnamed) out.put(*memory.unnamed);
  out.put(memory.unnamed_interned);
  out.put(std::string_view(client.received));
  out.put(std::string_view(client.unsent));
}

HandoverHello read_hello(Reader& in) {
  HandoverHello hello;
  hello.version = in.number();
  for (std::uint32_t count = in.number(); count > 0 && !in.failed(); --count) hello.ids.push_back(in.number());
  return hello;
}

HandoverCancel read_cancel(Reader& in) {
  HandoverCancel cancel;
  cancel.process_id = static_cast<std::int32_t>(in.number());
  cancel.secret = in.text();
  return cancel;
}

TravellingClient::Role read_role(Reader& in) {
  TravellingClient::Role role;
  role.password = Secret(in.text());
  if (!in.flag()) return role;
  protocol::ScramKeys& keys = role.keys.emplace();
  for (protocol::crypto::Digest* digest : {&keys.client, &keys.server}) {
    const std::string text = in.text();
    if (text.size() == digest->size()) {
      std::ranges::copy(text, digest->begin());
    } else {
      in.reject();
    }
  }
  return role;
}

TravellingClient read_client(Reader& in) {
  TravellingClient client;
  client.id = in.number();
  client.secret = in.text();
  client.user = in.text();
  client.database = in.text();
  client.application_name = in.text();
  client.shares = in.flag();
  client.looked_up = in.flag();
  if (in.flag()) client.role = read_role(in);
  ClientMemory& memory = client.memory;
  memory.startup = in.settings();
  memory.settings = in.settings();
  memory.parameters = in.settings();
  memory.login_parameters = in.settings();
  for (std::uint32_t count = in.number(); count > 0 && !in.failed(); --count) {
    memory.statements.push_back(in.statement());
  }
  if (in.flag()) memory.unnamed = in.statement();
  memory.unnamed_interned = in.flag();
  client.received = in.text();
  client.unsent = in.text();
  return client;
}

}  // namespace

std::string encode_handover(const HandoverMessage& message) {
  Writer out;
  out.put(static_cast<std::uint32_t>(message.index()));
  std::visit([&](const auto& one) { put(out, one); }, message);
  return out.take();
}

Result<HandoverMessage> decode_handover(ByteView bytes) {
  Reader in(bytes);
  HandoverMessage message;
  switch (in.number()) {
    case 0: message = read_hello(in); break;
    case 1: message = HandoverDoor(); break;
    case 2: message = HandoverReady(); break;
    case 3: message = read_client(in); break;
    case 4: message = HandoverDone(); break;
    case 5: message = read_cancel(in); break;
    default: return Error(ErrorKind::Protocol, "a message of a handover is of no known kind");
  }
  if (!in.finished()) return Error(ErrorKind::Protocol, "a message of a handover is malformed");
  return message;
}

}  // namespace switchyard::inline v0::gateway
