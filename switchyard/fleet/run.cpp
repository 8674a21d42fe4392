#include <switchyard/config/load.hpp>
#include <switchyard/fleet/run.hpp>
#include <switchyard/fleet/shared_permits.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/signals.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

namespace switchyard::inline v0::fleet {
namespace {

constexpr int kSignalBase = 128;

int report(const char* what, int code) {
  std::fprintf(stderr, "error: %s\n", what);
  return code;
}

Result<Sources> sources_from(int argc, char** argv) {
  Sources sources = process_sources();
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const auto value_of = [&](std::string_view option) -> Result<std::string> {
      if (argument.size() > option.size() && argument[option.size()] == '=') {
        return std::string(argument.substr(option.size() + 1));
      }
      if (i + 1 >= argc) return Error(ErrorKind::Usage, std::string(option) + " needs a value");
      return std::string(argv[++i]);
    };
    const auto is = [&](std::string_view option) {
      return argument == option ||
             (argument.starts_with(option) && argument.substr(option.size()).starts_with("="));
    };
    if (is("--config")) {
      auto value = value_of("--config");
      if (!value.ok()) return value.error();
      sources.file = *value;
    } else if (is("--env-file")) {
      auto value = value_of("--env-file");
      if (!value.ok()) return value.error();
      sources.dotenv_path = *value;
    } else if (is("--set")) {
      auto value = value_of("--set");
      if (!value.ok()) return value.error();
      const std::size_t equals = value->find('=');
      if (equals == std::string::npos) {
        return Error(ErrorKind::Usage, "--set takes KEY=VALUE, such as database.main.pool.max=20");
      }
      sources.command_line.push_back({value->substr(0, equals), value->substr(equals + 1)});
    }
  }
  for (std::string_view name : used_names()) sources.names_in_code.emplace_back(name);
  return sources;
}

/// What one shard's run came to.
struct Outcome {
  int code = 0;
  std::string error;
};

Task<int> until_signalled(runtime::SignalWatch& signals) {
  co_await signals.first().wait();
  co_return kSignalBase + signals.signal();
}

Task<Outcome> run_on_shard(FleetConfig config, std::shared_ptr<SharedPermits> permits, Application application,
                           runtime::SignalWatch* signals) {
  const Duration patience = *config.shutdown_timeout;
  auto opened = Fleet::open(std::move(config), std::move(permits));
  if (!opened.ok()) co_return Outcome{kExitWrongConfiguration, opened.error().what()};
  Fleet& fleet = **opened;
  Outcome outcome;
  try {
    if (signals == nullptr) {
      outcome.code = co_await application.call(application.function, fleet);
    } else {
      const auto ended = co_await any(application.call(application.function, fleet), until_signalled(*signals));
      outcome.code = ended.index() == 0 ? std::get<0>(ended) : std::get<1>(ended);
    }
  } catch (const Error& error) {
    outcome = {error.kind() == ErrorKind::Config ? kExitWrongConfiguration : kExitFailed, error.what()};
  } catch (const std::exception& error) {
    outcome = {kExitFailed, error.what()};
  }
  co_await fleet.close(patience);
  co_return outcome;
}

}  // namespace

int run_program(int argc, char** argv, Application application, Shards shards) {
  auto sources = sources_from(argc, argv);
  if (!sources.ok()) return report(sources.error().what(), kExitWrongConfiguration);
  auto config = load_config(*sources);
  if (!config.ok()) return report(config.error().what(), kExitWrongConfiguration);

  const std::uint32_t count = shards == Shards::all ? std::max<std::uint32_t>(*config->shards, 1) : 1;
  auto permits = std::make_shared<SharedPermits>();
  std::vector<Outcome> outcomes(count);
  std::vector<std::thread> threads;
  for (std::uint32_t index = 1; index < count; ++index) {
    threads.emplace_back([&, index, copy = *config] {
      runtime::Shard shard(static_cast<int>(index));
      outcomes[index] = shard.run_until_complete(run_on_shard(copy, permits, application, nullptr));
    });
  }
  {
    runtime::Shard shard(0);
    runtime::SignalWatch signals(shard, [](int signal) { std::_Exit(kSignalBase + signal); });
    outcomes[0] = shard.run_until_complete(run_on_shard(*std::move(config), permits, application, &signals));
  }
  for (std::thread& thread : threads) thread.join();
  for (const Outcome& outcome : outcomes) {
    if (!outcome.error.empty()) return report(outcome.error.c_str(), outcome.code);
  }
  for (const Outcome& outcome : outcomes) {
    if (outcome.code != 0) return outcome.code;
  }
  return 0;
}

}  // namespace switchyard::inline v0::fleet
