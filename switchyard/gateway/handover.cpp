#include <switchyard/gateway/handover.hpp>

#include <switchyard/gateway/peer_account.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/telemetry/log.hpp>

#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

/// How often it is looked which clients can go.
constexpr Duration kLook = std::chrono::milliseconds(2);
/// The old process answers so soon, or not at all.
constexpr Duration kPatience = std::chrono::seconds(5);
/// Without a file descriptor to spare, accepting is tried again after this.
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);

}  // namespace

std::string handover_path(const std::string& path, std::uint32_t shard) {
  return shard == 0 ? path : path + "." + std::to_string(shard);
}

// ---- the old process ----

Result<std::unique_ptr<Handover>> Handover::open(const std::string& path, HandoverHost& host) {
  std::unique_ptr<Handover> handover(new Handover(path, host));
  SY_TRY(handover->listen());
  return handover;
}

Handover::~Handover() = default;

Result<void> Handover::listen() {
  const auto address = runtime::SocketAddress::unix_domain(path_);
  if (!address.ok()) return address.error();
  auto listener = runtime::Listener::open(*address, {.unix_mode = 0600});
  if (!listener.ok()) return listener.error();
  listener_ = *std::move(listener);
  task_.start(accept());
  return {};
}

Task<void> Handover::accept() {
  for (;;) {
    auto stream = co_await listener_->accept();
    if (!stream.ok()) {
      if (stream.error().kind() == ErrorKind::Closed) co_return;
      co_await sleep(kAcceptPause);
      continue;
    }
    if (!peer_account(**stream).own) continue;
    runtime::Descriptor successor = runtime::Descriptor::duplicate((*stream)->native_handle());
    stream = Error(ErrorKind::Closed, "taken over");
    if (!successor) continue;
    begin(std::move(successor));
    co_return;
  }
}

void Handover::begin(runtime::Descriptor successor) {
  auto channel = runtime::DescriptorChannel::adopt(std::move(successor), *this);
  if (!channel.ok()) return;
  channel_ = *std::move(channel);
  begun_ = runtime::now();
  log::info("gateway", "handover_begun", [] { return std::string("another process takes over"); }, {});
  host_.set_accepting(false);
  listener_->close();  // the path is the successor's
  channel_->send(encode_handover(HandoverHello{.version = kHandoverVersion, .ids = host_.client_ids()}));
  for (const int door : host_.doors()) channel_->send(encode_handover(HandoverDoor()), door);
  channel_->send(encode_handover(HandoverReady()));
  tick_.arm(deadline_after(runtime::now(), kLook));
}

void Handover::send(const TravellingClient& client, int socket) { channel_->send(encode_handover(client), socket); }

void Handover::on_tick(void* self) noexcept {
  auto& handover = *static_cast<Handover*>(self);
  if (!handover.departing()) return;
  if (handover.has_room()) handover.host_.depart_clients(runtime::now() - handover.begun_);
  if (!handover.departing()) return;
  if (handover.host_.clients_left() == 0 && handover.channel_->unsent() == 0) {
    handover.done_ = true;
    handover.channel_->send(encode_handover(HandoverDone()));
    log::info("gateway", "handover_ended", [] { return std::string("every client has gone to the other process"); },
              {});
    return handover.host_.on_handed_over();
  }
  handover.tick_.arm(deadline_after(runtime::now(), kLook));
}

void Handover::on_message(ByteView message, runtime::Descriptor /*descriptor*/) noexcept {
  const auto decoded = decode_handover(message);
  const auto* cancel = decoded.ok() ? std::get_if<HandoverCancel>(&*decoded) : nullptr;
  if (cancel != nullptr) host_.cancel_for_successor({cancel->process_id, cancel->secret});
}

/// The successor is gone: whom it has not got is served here, and so is whoever comes.
void Handover::on_closed() noexcept {
  tick_.disarm();
  if (!done_) gone_.schedule();
}

void Handover::on_gone(void* self) noexcept { static_cast<Handover*>(self)->go_back(); }

void Handover::go_back() noexcept {
  tick_.disarm();
  log::warning("gateway", "handover_failed", [] { return std::string("the process that was taking over is gone"); },
               {});
  channel_.reset();
  host_.set_accepting(true);
  if (const Result<void> waiting = listen(); !waiting.ok()) {
    log::warning("gateway", "handover_failed", [&] { return std::string(waiting.error().message()); }, {});
  }
}

// ---- the new process ----

Result<std::unique_ptr<Takeover>> Takeover::begin(runtime::Descriptor socket) {
  std::unique_ptr<Takeover> takeover(new Takeover(std::move(socket)));
  SY_TRY(takeover->greet());
  return takeover;
}

Result<void> Takeover::greet() {
  for (bool greeted = false;;) {
    auto received = runtime::DescriptorChannel::receive(socket_, kPatience);
    if (!received.ok()) return received.error();
    auto message = decode_handover(received->bytes);
    if (!message.ok()) return message.error();
    if (auto* hello = std::get_if<HandoverHello>(&*message)) {
      if (hello->version != kHandoverVersion) {
        return Error(ErrorKind::Unavailable, "the process that runs speaks another version of the handover");
      }
      ids_ = std::move(hello->ids);
      greeted = true;
    } else if (std::holds_alternative<HandoverDoor>(*message) && received->descriptor) {
      doors_.push_back(std::move(received->descriptor));
    } else if (std::holds_alternative<HandoverReady>(*message) && greeted) {
      return {};
    } else {
      return Error(ErrorKind::Protocol, "the process that runs does not speak as this one");
    }
  }
}

Result<void> Takeover::start(TakeoverHost& host) {
  host_ = &host;
  auto channel = runtime::DescriptorChannel::adopt(std::move(socket_), *this);
  if (!channel.ok()) return channel.error();
  channel_ = *std::move(channel);
  return {};
}

void Takeover::cancel(const protocol::BackendKey& key) {
  if (channel_) channel_->send(encode_handover(HandoverCancel{key.process_id, key.secret}));
}

void Takeover::on_message(ByteView bytes, runtime::Descriptor descriptor) noexcept {
  auto message = decode_handover(bytes);
  if (!message.ok()) return;
  if (auto* client = std::get_if<TravellingClient>(&*message)) {
    if (descriptor) host_->adopt(std::move(*client), std::move(descriptor));
  } else if (std::holds_alternative<HandoverDone>(*message)) {
    host_->on_taken_over(*this);
  }
}

void Takeover::on_closed() noexcept { host_->on_taken_over(*this); }

}  // namespace switchyard::inline v0::gateway
