#include "commands.hpp"
#include "fleet_choice.hpp"
#include "http_client.hpp"
#include "json_reader.hpp"

#include <cstdint>
#include <string>
#include <thread>

namespace switchyard::cli {

namespace {

/// --follow asks again this often.
constexpr auto kFollowInterval = std::chrono::milliseconds(500);

Result<std::vector<EventLine>> ask(const std::string& address, std::uint64_t since) {
  auto answer = http_get(address, "/api/events?since=" + std::to_string(since));
  if (!answer.ok()) return answer.error();
  if (answer->status != 200) {
    return Error(ErrorKind::Unavailable, "the fleet at " + address + " answered " + std::to_string(answer->status))
        .with_hint("it may run an older version: restart it");
  }
  return read_events(answer->body);
}

}  // namespace

ExitCode run_events(const GlobalOptions& global, const EventsOptions& options, const Console& console) {
  auto running = choose_running_fleet(global);
  if (!running.ok()) return fail(console, running.error());
  if (!*running) {
    return fail(console, Error(ErrorKind::Unavailable, "no fleet runs here, so nothing has happened")
                             .with_hint("start one: switchyard up"));
  }
  std::uint64_t last = 0;
  for (;;) {
    auto events = ask((*running)->http, last);
    if (!events.ok()) return fail(console, events.error());
    for (const EventLine& event : *events) {
      last = event.sequence;
      console.print((global.json ? event.json : event.time + "  " + event.message) + "\n");
    }
    if (!options.follow) return ExitCode::ok;
    std::this_thread::sleep_for(kFollowInterval);
  }
}

}  // namespace switchyard::cli
