#include <switchyard/fleet/trace_exporter.hpp>

#include <switchyard/base/version.hpp>
#include <switchyard/httpc/url.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/telemetry/event_log.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace switchyard::inline v0::fleet {

namespace {

/// A Retry-After longer than this is not obeyed: the spans would only be dropped meanwhile.
constexpr Duration kLongestRetryAfter = std::chrono::seconds(60);

Result<httpc::Headers> parse_headers(std::string_view text) {
  httpc::Headers out;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return Error(ErrorKind::Config, "telemetry.otlp_headers is malformed")
          .with_hint("write NAME=VALUE, several separated by commas");
    }
    out.emplace_back(item.substr(0, equals), item.substr(equals + 1));
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return out;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : std::string();
}

Task<void> wait_for(runtime::AsyncEvent& event) { co_await event.wait(); }

}  // namespace

Result<TraceExporter::Options> TraceExporter::options_of(const FleetConfig& config) {
  Options out;
  std::string url = *config.telemetry.otlp_endpoint;
  if (auto parsed = httpc::Url::parse(url); !parsed.ok()) {
    return parsed.error().with_context("telemetry.otlp_endpoint");
  }
  while (url.ends_with('/')) url.pop_back();
  if (!url.ends_with(telemetry::kTracesPath)) url += telemetry::kTracesPath;
  out.url = std::move(url);
  auto headers = parse_headers(config.telemetry.otlp_headers->reveal());
  if (!headers.ok()) return headers.error();
  out.headers = std::move(*headers);
  out.interval = *config.telemetry.export_interval;
  out.resource = {{"service.name", *config.application},
                  {"telemetry.sdk.name", "switchyard"},
                  {"telemetry.sdk.language", "cpp"},
                  {"telemetry.sdk.version", std::string(kVersion)},
                  {"process.pid", std::to_string(::getpid())}};
  if (std::string host = host_name(); !host.empty()) out.resource.emplace_back("host.name", std::move(host));
  return out;
}

void TraceExporter::start() {
  running_ = true;
  spawn(run(shared_from_this()));
}

Task<void> TraceExporter::stop(Duration limit) {
  stopping_.set();
  if (!running_) co_return;
  co_await any(wait_for(ended_), sleep(limit));
}

void TraceExporter::abandon() noexcept { stopping_.set(); }

Task<void> TraceExporter::run(std::shared_ptr<TraceExporter> self) {
  TraceExporter& exporter = *self;
  while (!exporter.stopping_.is_set()) {
    co_await any(sleep(exporter.options_.interval), wait_for(exporter.stopping_));
    co_await exporter.send_all();
  }
  exporter.running_ = false;
  exporter.ended_.set();
}

Task<void> TraceExporter::send_all() {
  while (tracer_->queue().size() != 0) co_await send(tracer_->queue().take(kBatch));
}

Task<void> TraceExporter::send(std::vector<telemetry::Span> spans) {
  const std::size_t count = spans.size();
  const std::string body = telemetry::otlp_json(options_.resource, spans, telemetry::ClockPair::now());
  spans.clear();
  Duration pause = options_.first_pause;
  for (unsigned attempt = 1;; ++attempt) {
    Duration retry_after{};
    const Outcome outcome = co_await post(body, retry_after);
    if (outcome == Outcome::taken) {
      tracer_->queue().note_exported(count);
      co_return;
    }
    if (outcome == Outcome::refused || attempt == kTries || stopping_.is_set()) {
      tracer_->queue().note_failed(count);
      co_return;
    }
    co_await any(sleep(std::max(pause, std::min(retry_after, kLongestRetryAfter))), wait_for(stopping_));
    pause = std::min(pause * 2, options_.longest_pause);
  }
}

Task<TraceExporter::Outcome> TraceExporter::post(std::string body, Duration& retry_after) {
  httpc::CallOptions options;
  options.headers = options_.headers;
  options.timeout = options_.request_timeout;
  auto answer = co_await client_.post(options_.url, "application/json", std::move(body), std::move(options));
  if (!answer.ok()) {
    note_failure(answer.error().message(), tracer_->queue().size());
    const ErrorKind kind = answer.error().kind();
    co_return kind == ErrorKind::Unavailable || kind == ErrorKind::Deadline ? Outcome::again : Outcome::refused;
  }
  if (answer->ok()) co_return Outcome::taken;
  note_failure("the collector answered " + std::to_string(answer->status), tracer_->queue().size());
  if (!telemetry::otlp_retryable(answer->status)) co_return Outcome::refused;
  const std::string_view after = answer->header("retry-after");
  std::uint32_t seconds = 0;
  std::from_chars(after.data(), after.data() + after.size(), seconds);
  retry_after = std::chrono::seconds(seconds);
  co_return Outcome::again;
}

void TraceExporter::note_failure(std::string_view why, std::size_t waiting) const {
  telemetry::events().note(telemetry::kTraceExportFailed, {}, runtime::now(),
                           [&] { return "traces could not be sent: " + std::string(why); },
                           {{"url", std::string_view(options_.url)}, {"waiting", waiting}});
}

}  // namespace switchyard::inline v0::fleet
