#include <switchyard/gateway/lane_group.hpp>

#include <switchyard/protocol/frame.hpp>
#include <switchyard/protocol/messages/extended.hpp>
#include <switchyard/protocol/messages/query.hpp>

namespace switchyard::inline v0::gateway {
namespace {

/// Takes text up to a zero byte off `body`. False: there is none.
bool take_text(ByteView& body, std::string_view& text) noexcept {
  const std::size_t end = body.find('\0');
  if (end == ByteView::npos) return false;
  text = body.substr(0, end);
  body.remove_prefix(end + 1);
  return true;
}

/// Where in its order a message stands.
enum class Place : std::uint8_t { begin, parse, describe_statement, bind, describe_portal, execute, sync };

/// Reads one message into `group`. Its place, or begin if it has none.
Place read(const protocol::Frame& frame, LaneGroup& group, Place before) noexcept {
  ByteView body = frame.body;
  std::string_view name;
  switch (frame.type) {
    case protocol::Parse::kType:
      if (!take_text(body, group.name)) return Place::begin;
      group.parse = body;
      return Place::parse;
    case protocol::Bind::kType: {
      std::string_view portal;
      if (!take_text(body, portal) || !take_text(body, name) || !portal.empty()) return Place::begin;
      if (before == Place::begin) group.name = name;
      group.bind = frame.body;
      return name == group.name ? Place::bind : Place::begin;
    }
    case protocol::Describe::kType: {
      if (body.empty()) return Place::begin;
      const char target = body.front();
      body.remove_prefix(1);
      if (!take_text(body, name) || !body.empty()) return Place::begin;
      if (target == 'P') {
        group.describes_portal = true;
        return name.empty() ? Place::describe_portal : Place::begin;
      }
      if (target != 'S') return Place::begin;
      if (before == Place::begin) group.name = name;
      group.describes_statement = true;
      return name == group.name ? Place::describe_statement : Place::begin;
    }
    case protocol::Execute::kType:
      // All rows: an Execute of some leaves a portal behind.
      return body.size() == 5 && body.front() == '\0' && base::load_be<std::int32_t>(body.data() + 1) <= 0
                 ? Place::execute
                 : Place::begin;
    case 'S': return body.empty() ? Place::sync : Place::begin;
    default: return Place::begin;
  }
}

}  // namespace

LaneGroup read_lane_group(ByteView bytes, std::uint32_t max_message_size) noexcept {
  const protocol::FrameLimits& limits = protocol::frontend_limits();
  LaneGroup group;
  Place place = Place::begin;
  for (;;) {
    const protocol::Frame frame = protocol::next_frame(bytes.substr(group.size), limits, max_message_size);
    if (frame.status != protocol::FrameStatus::complete) return {};
    group.size += frame.total;
    if (place == Place::begin && frame.type == protocol::Query::kType) {
      ByteView body = frame.body;
      if (!take_text(body, group.sql) || !body.empty()) return {};
      group.kind = LaneGroup::Kind::simple;
      return group;
    }
    const Place next = read(frame, group, place);
    // In order, each once, and nothing left out that must be there.
    if (next <= place || (next > Place::bind && group.bind.empty())) return {};
    if (next == Place::sync) {
      if (place != Place::execute) return {};
      group.kind = LaneGroup::Kind::extended;
      return group;
    }
    place = next;
  }
}

}  // namespace switchyard::inline v0::gateway
