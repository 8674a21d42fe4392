#include <switchyard/fleet/blocking.hpp>

namespace switchyard::inline v0 {

BlockingFleet::BlockingFleet() = default;

Result<std::unique_ptr<BlockingFleet>> BlockingFleet::open(FleetConfig config) {
  if (runtime::Shard::current_or_null() != nullptr) {
    return Error(ErrorKind::Usage, "a blocking fleet would stop the loop that runs on this thread")
        .with_hint("use Fleet, or another thread");
  }
  std::unique_ptr<BlockingFleet> out(new BlockingFleet);
  const runtime::Shard::Scope scope(out->shard_);
  auto opened = Fleet::open(std::move(config));
  if (!opened.ok()) return opened.error();
  out->fleet_ = std::move(*opened);
  return out;
}

BlockingFleet::~BlockingFleet() {
  if (!fleet_) return;
  try {
    shard_.run_until_complete(fleet_->close(*fleet_->config().shutdown_timeout));
  } catch (const Error&) {
    // Destroyed on another thread or inside a loop: what is open is closed without waiting.
  }
  const runtime::Shard::Scope scope(shard_);
  fleet_.reset();
}

BlockingDatabase BlockingFleet::database(std::string_view name) {
  return BlockingDatabase(shard_, in_loop([&] { return fleet_->database(name).value_or_throw(); }));
}

}  // namespace switchyard::inline v0
