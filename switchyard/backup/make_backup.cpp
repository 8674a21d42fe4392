#include <switchyard/backup/make_backup.hpp>

#include <switchyard/backup/backup_file.hpp>
#include <switchyard/backup/client_environment.hpp>
#include <switchyard/backup/client_programs.hpp>
#include <switchyard/backup/client_run.hpp>
#include <switchyard/backup/one_session.hpp>
#include <switchyard/base/version.hpp>

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <optional>
#include <thread>
#include <tuple>
#include <utility>

namespace switchyard::inline v0::backup {

namespace {

constexpr Duration kLook = std::chrono::milliseconds(50);  // how soon a failed pg_dump or a stop is seen
constexpr std::string_view kApplication = "switchyard backup";

struct Facts {
  std::string version, encoding, collate, ctype;
  std::int32_t major = 0;
  std::int64_t moment = 0, bytes = 0;
  bool superuser = false;
};

constexpr std::string_view kFacts =
    "SELECT split_part(current_setting('server_version'), ' ', 1) AS version, "
    "current_setting('server_version_num')::int4 / 10000 AS major, "
    "extract(epoch FROM transaction_timestamp())::int8 AS moment, "
    "pg_encoding_to_char(d.encoding)::text AS encoding, d.datcollate::text AS collate, d.datctype::text AS ctype, "
    "(SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser, "
    "CASE WHEN $1 = '' THEN pg_database_size(d.oid) ELSE coalesce((SELECT sum(pg_total_relation_size(c.oid)) FROM "
    "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind IN ('r', 'm')), "
    "0) "
    "END::int8 AS bytes FROM pg_database d WHERE d.datname = current_database()";

struct Made {
  BackupPart part;
  Facts facts;
};

/// What all parts share.
struct Work {
  const FleetConfig& fleet;
  const std::vector<BackupOrder>& orders;
  const BackupOptions& options;
  const BackupSink& sink;
  std::stop_token stop;
  const std::filesystem::path& folder;
  std::vector<ClientPrograms> programs;
  std::atomic<std::size_t> next{0};
  std::vector<std::optional<Result<Made>>> results;
};

/// A name for a file: whatever a schema is called.
std::string file_stem(const BackupOrder& order) {
  std::string stem = order.database;
  if (order.schema.empty()) return stem;
  stem += '.';
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const char c : order.schema) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (plain) {
      stem += c;
    } else {
      stem += '%';
      stem += kDigits[byte >> 4];
      stem += kDigits[byte & 15];
    }
  }
  return stem;
}

std::string quoted_pattern(const std::string& schema) {
  std::string out = "\"";
  for (const char c : schema) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

std::string milliseconds(Duration wait) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(wait).count());
}

/// pg_dump's output, into a file of the backup.
Result<StoredFile> dump(const Work& work, const BackupOrder& order, const ConnectionOptions& connection,
                        const ClientPrograms& programs, const std::string& snapshot, std::uint64_t database_bytes,
                        const std::stop_token& stop) {
  auto file = BackupFileWriter::create(work.folder, file_stem(order) + ".dump", work.options.recipients);
  if (!file.ok()) return file.error();
  embedded::LaunchSpec spec{.program = programs.program("pg_dump"),
                            .arguments = {"--format=custom", "--no-password", "--snapshot=" + snapshot,
                                          "--lock-wait-timeout=" + milliseconds(work.options.lock_wait)},
                            .environment = client_environment(connection, kApplication)};
  if (!order.schema.empty()) spec.arguments.push_back("--schema=" + quoted_pattern(order.schema));
  SY_TRY(run_and_consume(
      std::move(spec),
      [&](std::string_view piece) -> Result<void> {
        SY_TRY(file->write(piece));
        if (work.sink) work.sink({order.database, BackupPhase::dumps, file->bytes(), database_bytes, {}});
        return {};
      },
      stop));
  return file->finish();
}

/// Ends when pg_dump failed or somebody stops us: what else is being read is of no use then.
Task<void> watch(std::stop_token stop, const std::atomic<bool>& dump_failed) {
  while (!stop.stop_requested() && !dump_failed) co_await sleep(kLook);
}

Task<Made> make_part(Lease& lease, const Work& work, const BackupOrder& order, const DatabaseConfig& database) {
  const ConnectionOptions& connection = database.primary.connection;
  const auto started = Clock::now();
  co_await lease.script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  Made made;
  made.facts = co_await lease.query_one<Facts>(kFacts, order.schema);
  if (!order.schema.empty() && !co_await lease.query_value<bool>(
                                   "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", order.schema)) {
    throw Error(ErrorKind::Config, "there is no schema '" + order.schema + "' in " + connection.dbname);
  }
  const ClientPrograms programs = choose_client_programs(work.programs, made.facts.major).value_or_throw();
  const auto snapshot = co_await lease.query_value<std::string>("SELECT pg_export_snapshot()");
  const auto bytes = static_cast<std::uint64_t>(made.facts.bytes);

  std::stop_source give_up;
  const std::stop_callback passed_on(work.stop, [&give_up] { give_up.request_stop(); });
  std::atomic<bool> dump_failed{false};
  std::future<Result<StoredFile>> dumping = std::async(std::launch::async, [&] {
    auto outcome = dump(work, order, connection, programs, snapshot, bytes, give_up.get_token());
    dump_failed = !outcome.ok();
    return outcome;
  });
  std::optional<Fingerprint> fingerprint;
  std::optional<Error> failure;
  try {
    auto either = co_await any(read_fingerprint(lease, order.schema, work.options.contents),
                               watch(give_up.get_token(), dump_failed));
    if (either.index() == 0) fingerprint = std::get<0>(std::move(either));
  } catch (const Error& error) {
    failure = error;
    give_up.request_stop();
  }
  auto dumped = dumping.get();
  if (failure) throw *failure;
  made.part.dump = std::move(dumped).value_or_throw();
  if (!fingerprint) throw Error(ErrorKind::Cancelled, "interrupted");
  co_await lease.script("COMMIT");

  auto file = BackupFileWriter::create(work.folder, file_stem(order) + ".fingerprint", work.options.recipients)
                  .value_or_throw();
  file.write(to_json(*fingerprint)).value_or_throw();
  made.part.fingerprint = file.finish().value_or_throw();
  made.part.database = order.database;
  made.part.schema = order.schema;
  made.part.dbname = connection.dbname;
  made.part.server = connection.hosts.empty() ? std::string() : connection.hosts.front().display();
  made.part.role = connection.user;
  made.part.server_version = made.facts.version;
  made.part.dump_version = programs.version;
  made.part.encoding = made.facts.encoding;
  made.part.collate = made.facts.collate;
  made.part.ctype = made.facts.ctype;
  made.part.moment = Moment(std::chrono::seconds(made.facts.moment));
  made.part.seconds =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - started).count());
  made.part.database_bytes = bytes;
  made.part.tables = fingerprint->tables.size();
  co_return made;
}

void run(Work& work) {
  for (std::size_t at = work.next++; at < work.orders.size(); at = work.next++) {
    const BackupOrder& order = work.orders[at];
    const FleetConfig config = config_of(work.fleet, order.database);
    const DatabaseConfig* database = config.find(order.database);
    Result<Made> made = Error(ErrorKind::Config, "unknown database");
    if (work.stop.stop_requested()) {
      made = Error(ErrorKind::Cancelled, "interrupted");
    } else if (database != nullptr && !database->configured()) {
      made = Error(ErrorKind::Config, database->missing_dsn_message);
    } else if (database != nullptr) {
      made = on_one_session<Made>(config, order.database, [&](Lease& lease) -> Task<Made> {
        co_return co_await make_part(lease, work, order, *database);
      });
    }
    if (work.sink) {
      work.sink({order.database, made.ok() ? BackupPhase::done : BackupPhase::failed,
                 made.ok() ? made->part.dump.bytes : 0, made.ok() ? made->part.database_bytes : 0,
                 made.ok() ? std::string() : std::string(made.error().message())});
    }
    work.results[at] = std::move(made);
  }
}

/// The roles of each server, asked by the strongest login that there is.
Result<void> add_globals(const Work& work, Manifest& manifest) {
  struct Login {
    const Made* made;
    const ConnectionOptions* connection;
  };
  std::vector<std::pair<std::string, Login>> servers;
  for (std::size_t i = 0; i < work.orders.size(); ++i) {
    if (!work.results[i] || !work.results[i]->ok()) continue;
    const Made& made = **work.results[i];
    const ConnectionOptions& connection = work.fleet.find(work.orders[i].database)->primary.connection;
    const auto at = std::ranges::find(servers, made.part.server, &std::pair<std::string, Login>::first);
    if (at == servers.end()) {
      servers.emplace_back(made.part.server, Login{&made, &connection});
    } else if (made.facts.superuser && !at->second.made->facts.superuser) {
      at->second = {&made, &connection};
    }
  }
  for (const auto& [server, login] : servers) {
    const auto programs = choose_client_programs(work.programs, login.made->facts.major);
    if (!programs.ok()) return programs.error();
    const std::string name = "globals-" + std::to_string(manifest.globals.size() + 1) + ".sql";
    auto file = BackupFileWriter::create(work.folder, name, work.options.recipients);
    if (!file.ok()) return file.error();
    embedded::LaunchSpec spec{
        .program = programs->program("pg_dumpall"),
        .arguments = {"--globals-only", "--no-password", "--database=" + login.connection->dbname},
        .environment = client_environment(*login.connection, kApplication)};
    // Only a superuser may read pg_authid.
    if (!login.made->facts.superuser) spec.arguments.emplace_back("--no-role-passwords");
    SY_TRY(run_and_consume(std::move(spec), [&](std::string_view piece) { return file->write(piece); }, work.stop));
    auto stored = file->finish();
    if (!stored.ok()) return stored.error();
    manifest.globals.push_back(
        {server, login.made->facts.superuser, login.made->facts.version, std::move(*stored)});
  }
  return {};
}

}  // namespace

Result<StoredBackup> make_backup(const FleetConfig& fleet, const Repository& repository,
                                 const std::vector<BackupOrder>& orders, const BackupOptions& options,
                                 const BackupSink& sink, std::stop_token stop) {
  if (orders.empty()) return Error(ErrorKind::Usage, "a backup of no database was asked for");
  Manifest manifest;
  manifest.application = *fleet.application;
  manifest.version = kVersion;
  manifest.started = now();
  for (const AgeRecipient& one : options.recipients) manifest.recipients.push_back(one.text());
  auto staging = repository.begin(manifest.started);
  if (!staging.ok()) return staging.error();
  Work work{.fleet = fleet,
            .orders = orders,
            .options = options,
            .sink = sink,
            .stop = stop,
            .folder = staging->folder(),
            .programs = list_client_programs(),
            .next = 0,
            .results = {}};
  work.results.resize(orders.size());
  {
    std::vector<std::jthread> threads;
    const std::size_t most = std::clamp<std::size_t>(options.jobs, 1, orders.size());
    for (std::size_t i = 0; i < most; ++i) threads.emplace_back([&work] { run(work); });
  }
  if (stop.stop_requested())
    return Error(ErrorKind::Cancelled, "interrupted").with_hint("nothing of this backup stays");
  std::optional<Error> first;
  for (std::size_t i = 0; i < orders.size(); ++i) {
    const Result<Made>& result = *work.results[i];
    if (result.ok()) {
      manifest.parts.push_back(result->part);
      continue;
    }
    if (!first) first = result.error().with_database(orders[i].database);
    manifest.failed.push_back({orders[i].database, std::string(result.error().message())});
  }
  if (manifest.parts.empty()) return *first;
  SY_TRY(add_globals(work, manifest));
  manifest.finished = now();
  auto folder = staging->commit(manifest);
  if (!folder.ok()) return folder.error();
  return repository.find(folder->filename().string(), {});
}

}  // namespace switchyard::inline v0::backup
