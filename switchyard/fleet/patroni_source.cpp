#include <switchyard/fleet/patroni_source.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/telemetry/log.hpp>

#include <algorithm>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

constexpr Duration kAnswerTimeout = std::chrono::seconds(1);
/// A cluster of kMostPatroniMembers with long tags fits.
constexpr std::size_t kMostBytes = 256 << 10;
/// Pokes do not come closer than this.
constexpr Duration kShortestPause = std::chrono::milliseconds(100);

}  // namespace

PatroniSource::PatroniSource(std::string database, std::string url, Duration interval, OnMembers on_members)
    : database_(std::move(database)),
      url_(std::move(url)),
      interval_(std::max(interval, kShortestPause)),
      on_members_(std::move(on_members)) {
  while (url_.ends_with('/')) url_.pop_back();
}

void PatroniSource::start() { task_.start(run()); }

void PatroniSource::note(bool answers, const std::string& why) {
  if (answers == std::exchange(answers_, answers)) return;
  log::warning("fleet", "patroni",
               [&] { return database_ + ": Patroni " + (answers ? "answers again" : "does not answer: " + why); },
               {{"database", std::string_view(database_)}});
}

Task<void> PatroniSource::run() {
  for (;;) {
    const TimePoint asked = runtime::now();
    const auto answer = co_await client_.get(
        url_ + "/cluster", {.headers = {}, .timeout = kAnswerTimeout, .max_body_bytes = kMostBytes});
    if (!answer.ok()) {
      note(false, std::string(answer.error().message()));
    } else if (!answer->ok()) {
      note(false, "status " + std::to_string(answer->status));
    } else if (const auto members = parse_patroni_cluster(answer->body); !members.ok()) {
      note(false, std::string(members.error().message()));
    } else {
      note(true, {});
      on_members_(*members);
    }
    co_await sleep_until(asked + kShortestPause);
    co_await any(sleep_until(asked + interval_),
                 [](runtime::AsyncEvent& wake) -> Task<void> { co_await wake.wait(); }(wake_));
  }
}

}  // namespace switchyard::inline v0::fleet
