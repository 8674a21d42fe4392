#include <switchyard/embedded/private_cluster.hpp>

#include <switchyard/embedded/data_folder.hpp>
#include <switchyard/embedded/private_server_impl.hpp>
#include <switchyard/embedded/server_folder.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <mutex>

namespace switchyard::inline v0::embedded {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::uint16_t kFirstPort = 5432;
constexpr std::size_t kLongestReplicaName = 40;
constexpr auto kMakeTimeout = 120s;  // initdb or a base backup on a slow disk
constexpr int kPortAttempts = 8;

bool plain_name(std::string_view name) {
  if (name.empty() || name.size() > kLongestReplicaName || name[0] < 'a' || name[0] > 'z') return false;
  return std::ranges::all_of(name,
                             [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

/// A port nobody listens on now. Somebody may take it before the server does: callers try again.
std::uint16_t free_tcp_port() {
  const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  std::uint16_t port = 0;
  if (probe >= 0 && bind(probe, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
      getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    port = ntohs(address.sin_port);
  }
  if (probe >= 0) close(probe);
  return port;
}

Secret random_password() {
  constexpr std::string_view kLetters = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789_-23456";
  static_assert(kLetters.size() >= 64);
  unsigned char bytes[24];
  std::string text;
  if (getrandom(bytes, sizeof bytes, 0) == static_cast<ssize_t>(sizeof bytes)) {
    for (unsigned char byte : bytes) text += kLetters[byte % 64];
  }
  return Secret(std::move(text));
}

int version_of_data(const fs::path& data) {
  std::ifstream in(data / "PG_VERSION");
  int major = 0;
  in >> major;
  return major;
}

/// The port of a server's last start; 0 if there was none.
std::uint16_t last_port(const fs::path& data) {
  std::ifstream in(data / "postgresql.conf");
  std::string line;
  constexpr std::string_view kStart = "port = '";
  std::uint16_t port = 0;
  while (std::getline(in, line)) {
    if (line.starts_with(kStart)) std::from_chars(line.data() + kStart.size(), line.data() + line.size(), port);
  }
  return port;
}

}  // namespace

struct PrivateCluster::Impl {
  ClusterOptions options;
  PostgresBinaries binaries;
  std::optional<Account> account;
  ServerFolder folder;
  std::string folder_text;
  std::string sockets_text;
  std::recursive_mutex mutex;  ///< guards the list of replicas
  std::unique_ptr<PrivateServer> primary;
  std::vector<std::unique_ptr<PrivateServer>> replicas;
  std::vector<std::uint16_t> ports_given;

  std::uint16_t choose_port(std::uint16_t preferred) {
    if (options.tcp_port) {
      const bool first = ports_given.empty() && *options.tcp_port != 0;
      ports_given.push_back(first ? *options.tcp_port : free_tcp_port());
      return ports_given.back();
    }
    std::uint16_t port = preferred != 0 ? preferred : kFirstPort;
    while (std::ranges::find(ports_given, port) != ports_given.end()) ++port;
    ports_given.push_back(port);
    return port;
  }

  std::unique_ptr<PrivateServer::Impl> describe(std::string name, const fs::path& data) {
    auto server = std::make_unique<PrivateServer::Impl>();
    server->name = std::move(name);
    server->options = options;
    server->binaries = binaries;
    server->account = account;
    server->sockets = sockets_text;
    server->data = data.string();
    server->log = data.string() + ".log";
    server->port = choose_port(last_port(data));
    return server;
  }

  /// Starts a server; with "any free TCP port", on another one if somebody was quicker.
  Result<void> bring_up(PrivateServer& server, PrivateServer::Impl& inside) {
    auto started = server.start();
    for (int attempt = 1; attempt < kPortAttempts && !started.ok() && options.tcp_port && *options.tcp_port == 0 &&
                          started.error().message().find("could not bind") != std::string_view::npos;
         ++attempt) {
      inside.port = free_tcp_port();
      started = server.start();
    }
    return started;
  }

  Result<PrivateServer*> start_replica(const std::string& name, const fs::path& data) {
    auto inside = describe(name, data);
    const ServerEndpoint upstream = primary->endpoint();
    inside->upstream_host = upstream.host;
    inside->upstream_port = upstream.port;
    inside->slot = name;
    PrivateServer::Impl& reference = *inside;
    auto server = std::make_unique<PrivateServer>(std::move(inside));
    SY_TRY(bring_up(*server, reference));
    replicas.push_back(std::move(server));
    return replicas.back().get();
  }

  [[nodiscard]] fs::path replica_folder() const { return folder.path() / "replicas"; }
};

Result<std::unique_ptr<PrivateCluster>> PrivateCluster::start(ClusterOptions options) {
  auto account = server_account(options.run_as);
  if (!account.ok()) return account.error();
  reap_abandoned_folders();

  // Binaries before folders: nothing is left behind when there is no PostgreSQL.
  PostgresSearch search = options.binaries;
  const int existing = options.folder.empty() ? 0 : version_of_data(fs::path(options.folder) / "primary");
  if (existing != 0 && search.major != 0 && search.major != existing) {
    return Error(ErrorKind::Config, "the cluster in " + options.folder + " is of PostgreSQL " +
                                        std::to_string(existing) + ", not " + std::to_string(search.major));
  }
  if (existing != 0) search.major = existing;
  auto binaries = find_postgres(search);
  if (!binaries.ok()) return binaries.error();
  if (options.tls && !binaries->has_tls) {
    return Error(ErrorKind::Config, "PostgreSQL in " + binaries->folder + " is built without TLS")
        .with_hint("use the distribution's server package");
  }

  auto folder = options.folder.empty() ? ServerFolder::make_temporary(*account, options.storage)
                                       : ServerFolder::open(options.folder, *account);
  if (!folder.ok()) return folder.error();
  if (folder->path().string().find_first_of("'\"\n,") != std::string::npos) {
    return Error(ErrorKind::Config,
                 "the folder's name must not contain quotes, commas or line ends: " + folder->path().string());
  }
  if (options.tcp_port && options.superuser_password.empty()) options.superuser_password = random_password();

  std::unique_ptr<Impl> impl(new Impl{.options = std::move(options),
                                      .binaries = std::move(*binaries),
                                      .account = std::move(*account),
                                      .folder = std::move(*folder)});
  impl->folder_text = impl->folder.path().string();
  impl->sockets_text = impl->folder.sockets().string();
  const fs::path data = impl->folder.path() / "primary";
  if (existing == 0) {
    std::error_code error;
    fs::remove_all(data, error);  // a data folder without PG_VERSION: made half
    SY_TRY(make_data_folder(data, impl->binaries, impl->account,
                            {.locale = impl->options.locale,
                             .superuser = impl->options.superuser,
                             .data_checksums = impl->options.data_checksums},
                            impl->options.durable ? Origin::fresh : Origin::copy, Clock::now() + kMakeTimeout));
  }
  auto inside = impl->describe("primary", data);
  PrivateServer::Impl& reference = *inside;
  impl->primary = std::make_unique<PrivateServer>(std::move(inside));
  std::unique_ptr<PrivateCluster> cluster(new PrivateCluster(std::move(impl)));
  Impl& made = *cluster->impl_;
  SY_TRY(made.bring_up(*made.primary, reference));
  if (made.options.tcp_port) {
    auto set = made.primary->execute("ALTER ROLE " + quote_identifier(made.options.superuser) + " PASSWORD " +
                                     quote_literal(made.options.superuser_password.reveal()));
    if (!set.ok()) return set.error();
  }

  std::vector<fs::path> kept;
  std::error_code error;
  for (fs::directory_iterator at(made.replica_folder(), error), end; !error && at != end; at.increment(error)) {
    if (at->path().extension() == ".new")
      fs::remove_all(at->path(), error);  // a base backup that was cut short
    else if (at->is_directory(error) && version_of_data(at->path()) != 0)
      kept.push_back(at->path());
  }
  std::ranges::sort(kept);
  for (const fs::path& replica : kept) {
    auto started = made.start_replica(replica.filename().string(), replica);
    if (!started.ok()) return started.error();
  }
  return cluster;
}

PrivateCluster::PrivateCluster(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

PrivateCluster::~PrivateCluster() {
  (void)stop(impl_->options.folder.empty() ? StopMode::immediate : StopMode::fast);
}

PrivateServer& PrivateCluster::primary() noexcept { return *impl_->primary; }

std::vector<PrivateServer*> PrivateCluster::replicas() {
  std::lock_guard lock(impl_->mutex);
  std::vector<PrivateServer*> out;
  for (auto& server : impl_->replicas) out.push_back(server.get());
  return out;
}

PrivateServer* PrivateCluster::replica(std::string_view name) {
  std::lock_guard lock(impl_->mutex);
  for (auto& server : impl_->replicas) {
    if (server->name() == name) return server.get();
  }
  return nullptr;
}

Result<PrivateServer*> PrivateCluster::add_replica(std::string_view name) {
  std::lock_guard lock(impl_->mutex);
  if (!plain_name(name) || name == "primary") {
    return Error(ErrorKind::Usage, "'" + std::string(name) + "' is not a name for a replica")
        .with_hint("a letter, then letters, digits and '_', lower case, at most 40; not 'primary'");
  }
  if (PrivateServer* present = replica(name)) return present;

  const std::string slot = quote_literal(name);
  const std::string drop_slot =
      "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active AND slot_name = " +
      slot;
  auto dropped = impl_->primary->execute(drop_slot);
  if (!dropped.ok()) return dropped.error();

  std::error_code error;
  if (!fs::exists(impl_->replica_folder(), error)) SY_TRY(make_folder(impl_->replica_folder(), 0711, {}));
  const fs::path data = impl_->replica_folder() / name;
  const fs::path making = data.string() + ".new";
  fs::remove_all(making, error);
  SY_TRY(make_folder(making, 0700, impl_->account));
  const ServerEndpoint from = impl_->primary->endpoint();
  // No -R: it would fix today's socket folder in postgresql.auto.conf; the upstream is in our postgresql.conf.
  LaunchSpec backup{
      .program = impl_->binaries.program("pg_basebackup"),
      .arguments = {"-h", from.host, "-p", std::to_string(from.port), "-U", from.user, "-D", making.string(), "-X",
                    "stream", "-c", "fast", "-C", "-S", std::string(name), "--no-password", "--no-manifest"},
      .environment = clean_environment(making.string()),
      .account = impl_->account};
  if (!impl_->options.durable) backup.arguments.emplace_back("--no-sync");
  auto ran = run_program(std::move(backup), Clock::now() + kMakeTimeout);
  Result<void> made = ran.ok() ? write_file(making, "standby.signal", "", impl_->account) : ran.error();
  if (made.ok()) {
    fs::rename(making, data, error);
    if (error) made = Error(ErrorKind::Config, "cannot rename " + making.string() + ": " + error.message());
  }
  if (!made.ok()) {
    fs::remove_all(making, error);
    (void)impl_->primary->execute(drop_slot);  // it would keep WAL for nobody
    return made.error();
  }
  return impl_->start_replica(std::string(name), data);
}

Result<void> PrivateCluster::drop_replica(std::string_view name) {
  std::lock_guard lock(impl_->mutex);
  auto at = std::ranges::find_if(impl_->replicas, [&](auto& server) { return server->name() == name; });
  if (at == impl_->replicas.end()) {
    return Error(ErrorKind::Usage, "there is no replica '" + std::string(name) + "'");
  }
  SY_TRY((*at)->stop(StopMode::immediate));
  const std::string data = (*at)->data_folder();
  const std::string log = (*at)->log_file();
  impl_->replicas.erase(at);
  std::error_code error;
  fs::remove_all(data, error);
  fs::remove(log, error);
  auto dropped = impl_->primary->execute(
      "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
      "WHERE slot_name = " +
      quote_literal(name));
  if (!dropped.ok()) return dropped.error();
  return {};
}

Result<void> PrivateCluster::stop(StopMode mode) {
  std::lock_guard lock(impl_->mutex);
  Result<void> outcome;
  if (impl_->primary) outcome = impl_->primary->stop(mode);
  for (auto& server : impl_->replicas) {
    auto stopped = server->stop(mode);
    if (outcome.ok()) outcome = stopped;
  }
  return outcome;
}

const std::string& PrivateCluster::folder() const noexcept { return impl_->folder_text; }
const std::string& PrivateCluster::socket_folder() const noexcept { return impl_->sockets_text; }

}  // namespace switchyard::inline v0::embedded
