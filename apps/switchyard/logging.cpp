#include "logging.hpp"

#include <switchyard/telemetry/log.hpp>

#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>

namespace switchyard::cli {

namespace {

spdlog::level::level_enum level_of(log::Level level) {
  switch (level) {
    case log::Level::debug: return spdlog::level::debug;
    case log::Level::info: return spdlog::level::info;
    case log::Level::warning: return spdlog::level::warn;
    case log::Level::error: return spdlog::level::err;
  }
  return spdlog::level::err;
}

class SpdlogSink final : public log::Sink {
 public:
  explicit SpdlogSink(bool colours) {
    auto sink = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>(colours ? spdlog::color_mode::always
                                                                                  : spdlog::color_mode::never);
    logger_ = std::make_shared<spdlog::logger>("switchyard", std::move(sink));
    logger_->set_pattern("%H:%M:%S %^%-7l%$ %v");
  }

  [[nodiscard]] bool wants(log::Level level, std::string_view) const noexcept override {
    return logger_->should_log(level_of(level));
  }
  void write(const log::Event& event) noexcept override {
    try {
      logger_->log(level_of(event.level), "{}", fmt::string_view(event.message.data(), event.message.size()));
    } catch (...) {  // memory ran out: the event is lost, the program goes on
    }
  }
  void set_level(spdlog::level::level_enum level) { logger_->set_level(level); }

 private:
  std::shared_ptr<spdlog::logger> logger_;
};

SpdlogSink* installed = nullptr;  // lives as long as the process

}  // namespace

void install_log(const GlobalOptions& options, const Console& console) {
  static SpdlogSink sink(console.err().on());
  installed = &sink;
  set_log_level(options.verbose ? LogLevel::everything : options.quiet ? LogLevel::errors : LogLevel::warnings);
  log::set_sink(&sink);
}

void set_log_level(LogLevel level) {
  switch (level) {
    case LogLevel::errors: installed->set_level(spdlog::level::err); break;
    case LogLevel::warnings: installed->set_level(spdlog::level::warn); break;
    case LogLevel::events: installed->set_level(spdlog::level::info); break;
    case LogLevel::everything: installed->set_level(spdlog::level::debug); break;
  }
}

}  // namespace switchyard::cli
