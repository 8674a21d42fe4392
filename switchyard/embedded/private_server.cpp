#include <switchyard/embedded/private_server.hpp>

#include <switchyard/embedded/control_session.hpp>
#include <switchyard/embedded/private_server_impl.hpp>
#include <switchyard/embedded/server_folder.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <system_error>
#include <thread>

namespace switchyard::inline v0::embedded {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kReadyPoll = 3ms;
constexpr auto kReplayPoll = 5ms;
constexpr auto kImmediateEnd = 10s;
constexpr auto kKillEnd = 10s;
constexpr std::size_t kLogTail = 16 * 1024;
constexpr std::uintmax_t kLargestLog = 16UL * 1024 * 1024;  // a longer one starts anew with the server

/// A value in postgresql.conf (manual chapter 20.1.2).
std::string conf_value(std::string_view value) {
  std::string out = "'";
  for (char c : value) {
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  return out + "'";
}

std::string conninfo_value(std::string_view value) {
  std::string out = "'";
  for (char c : value) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string read_from(const std::string& file, std::size_t start) {
  std::ifstream in(file);
  in.seekg(0, std::ios::end);
  const auto size = static_cast<std::size_t>(std::max<std::streamoff>(in.tellg(), 0));
  start = std::max(std::min(start, size), size > kLogTail ? size - kLogTail : 0);
  in.seekg(static_cast<std::streamoff>(start));
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string last_lines(std::string text, std::size_t lines) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::size_t at = text.size();
  for (std::size_t line = 0; line < lines && at != std::string::npos && at > 0; ++line)
    at = text.rfind('\n', at - 1);
  return at == std::string::npos || at == 0 ? text : text.substr(at + 1);
}

std::string slurp(const std::string& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// The postmaster writes "ready" into line 8 of postmaster.pid once it accepts sessions.
bool says_ready(const std::string& data_folder, pid_t pid) {
  std::ifstream in(data_folder + "/postmaster.pid");
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (number == 1 && line != std::to_string(pid)) return false;
    if (number == 8) return line.starts_with("ready");
  }
  return false;
}

}  // namespace

std::string quote_identifier(std::string_view name) {
  std::string out = "\"";
  for (char c : name) {
    if (c == '"') out += c;
    out += c;
  }
  return out + "\"";
}

std::string quote_literal(std::string_view value) {
  std::string out = value.find('\\') == std::string_view::npos ? "'" : "E'";
  for (char c : value) {
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  return out + "'";
}

std::string PrivateServer::Impl::configuration() const {
  std::map<std::string, std::string> all{
      {"cluster_name", options.name + "/" + name},
      {"listen_addresses", options.tcp_port ? "127.0.0.1" : ""},
      {"port", std::to_string(port)},
      {"unix_socket_directories", "\"" + sockets + "\""},
      {"unix_socket_permissions", options.socket_access == SocketAccess::owner ? "0700" : "0777"},
      {"logging_collector", "off"},
      {"log_destination", "stderr"},
      {"log_line_prefix", "%m [%p] %q%u@%d "},
      {"timezone", "UTC"},
      {"log_timezone", "UTC"},
      {"lc_messages", options.locale},
      {"lc_monetary", options.locale},
      {"lc_numeric", options.locale},
      {"lc_time", options.locale},
      {"default_text_search_config", "pg_catalog.english"},
      {"max_connections", "200"},
      {"wal_level", "replica"},
      {"hot_standby", "on"},
      {"max_wal_senders", "16"},
      {"max_replication_slots", "16"},
      {"wal_retrieve_retry_interval", "200ms"},  // a standby finds its restarted primary again at once
      {"wal_receiver_status_interval", "1s"},
  };
  if (options.durable) {
    all["shared_buffers"] = "128MB";
    // A replica that never returns must not fill the disk.
    all["max_slot_wal_keep_size"] = "2GB";
  } else {
    all["fsync"] = "off";
    all["full_page_writes"] = "off";
    all["shared_buffers"] = "32MB";
    all["checkpoint_timeout"] = "30min";
    // In the data folder, so that they go with it even after SIGKILL.
    all["dynamic_shared_memory_type"] = "mmap";
  }
  if (options.stat_statements && binaries.has_stat_statements)
    all["shared_preload_libraries"] = "pg_stat_statements";
  if (options.tls) {
    all["ssl"] = "on";
    all["ssl_cert_file"] = "sy-server.crt";
    all["ssl_key_file"] = "sy-server.key";
    if (!options.tls->ca_file.empty()) all["ssl_ca_file"] = "sy-ca.crt";
    if (!options.tls->crl_file.empty()) all["ssl_crl_file"] = "sy-revoked.crl";
  }
  if (!upstream_host.empty()) {
    all["primary_conninfo"] = "host=" + conninfo_value(upstream_host) + " port=" + std::to_string(upstream_port) +
                              " user=" + conninfo_value(options.superuser) +
                              " application_name=" + conninfo_value(name);
    all["primary_slot_name"] = slot;
  }
  for (const auto& [setting, value] : options.settings) all[setting] = value;

  std::string text = "# Written anew at every start. Use ALTER SYSTEM, which wins over this file.\n";
  for (const auto& [setting, value] : all) text += setting + " = " + conf_value(value) + "\n";
  return text;
}

std::string PrivateServer::Impl::host_based_authentication() const {
  const std::string superuser = quote_identifier(options.superuser);
  std::string text = "# Written anew at every start.\n";
  text += "local all " + superuser + " trust\nlocal replication " + superuser + " trust\n";
  for (const std::string& line : options.hba) text += line + "\n";
  text += "local all all trust\nlocal replication all trust\n";
  text += "host all all 127.0.0.1/32 scram-sha-256\nhost replication all 127.0.0.1/32 scram-sha-256\n";
  return text;
}

Result<void> PrivateServer::Impl::write_files() {
  for (const auto& [setting, value] : options.settings) {
    if (setting.empty() || setting.find_first_of(" \t\n='#") != std::string::npos ||
        value.find('\n') != std::string::npos) {
      return Error(ErrorKind::Usage, "'" + setting + "' is not a setting with a one-line value");
    }
  }
  SY_TRY(write_file(data, "postgresql.conf", configuration(), account));
  SY_TRY(write_file(data, "pg_hba.conf", host_based_authentication(), account));
  if (!options.tls) return {};
  const std::pair<const std::string&, const char*> files[] = {{options.tls->certificate_file, "sy-server.crt"},
                                                              {options.tls->key_file, "sy-server.key"},
                                                              {options.tls->ca_file, "sy-ca.crt"},
                                                              {options.tls->crl_file, "sy-revoked.crl"}};
  for (const auto& [source, target] : files) {
    if (source.empty()) continue;
    if (access(source.c_str(), R_OK) != 0) return Error(ErrorKind::Config, "cannot read " + source);
    SY_TRY(write_file(data, target, slurp(source), account));
  }
  return {};
}

Result<void> PrivateServer::Impl::wait_until_ready(std::size_t log_start, TimePoint deadline) {
  const auto with_log = [&](std::string what) {
    return Error(ErrorKind::Unavailable,
                 "private server '" + name + "' " + std::move(what) + "; its log " + log + " ends with:\n" +
                     last_lines(read_from(log, log_start), 20),
                 ErrorStage::connecting);
  };
  for (;;) {
    if (!process.running())
      return with_log("did not start (exit code " + std::to_string(process.exit_code()) + ")");
    if (says_ready(data, process.pid())) {
      auto session = ControlSession::connect(socket_file(), options.superuser, "postgres", deadline);
      if (session.ok()) return {};
      if (session.error().kind() == ErrorKind::Config) return session.error();
    }
    if (Clock::now() >= deadline) return with_log("was not ready in time");
    std::this_thread::sleep_for(kReadyPoll);
  }
}

Result<void> PrivateServer::Impl::end(StopMode mode) {
  if (!process.running()) return {};
  if (frozen) {
    for (pid_t pid : processes_in(data)) kill(pid, SIGCONT);
    frozen = false;
  }
  if (mode == StopMode::fast) {
    process.signal(SIGINT);
    if (process.wait_until(Clock::now() + options.stop_timeout)) return {};
  }
  process.signal(SIGQUIT);
  if (process.wait_until(Clock::now() + kImmediateEnd)) return {};
  for (pid_t pid : processes_in(data)) kill(pid, SIGKILL);
  if (process.wait_until(Clock::now() + kKillEnd)) return {};
  return Error(ErrorKind::Unavailable, "private server '" + name + "' (pid " + std::to_string(process.pid()) +
                                           ") does not end, not even by SIGKILL");
}

PrivateServer::PrivateServer(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

PrivateServer::~PrivateServer() {
  std::lock_guard lock(impl_->mutex);
  (void)impl_->end(StopMode::immediate);
  end_servers_in(impl_->data);
}

const std::string& PrivateServer::name() const noexcept { return impl_->name; }
int PrivateServer::major_version() const noexcept { return impl_->binaries.major; }
const std::string& PrivateServer::bin_folder() const noexcept { return impl_->binaries.folder; }
const std::string& PrivateServer::data_folder() const noexcept { return impl_->data; }
const std::string& PrivateServer::log_file() const noexcept { return impl_->log; }

ServerEndpoint PrivateServer::endpoint(std::string_view database) const {
  return {.host = impl_->sockets,
          .port = impl_->port,
          .database = std::string(database),
          .user = impl_->options.superuser,
          .password = {}};
}

Result<ServerEndpoint> PrivateServer::tcp_endpoint(std::string_view database) const {
  if (!impl_->options.tcp_port) {
    return Error(ErrorKind::Usage, "private server '" + impl_->name + "' does not listen on TCP")
        .with_hint("give ClusterOptions::tcp_port");
  }
  return ServerEndpoint{.host = "127.0.0.1",
                        .port = impl_->port,
                        .database = std::string(database),
                        .user = impl_->options.superuser,
                        .password = impl_->options.superuser_password};
}

pid_t PrivateServer::pid() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->process.running() ? impl_->process.pid() : -1;
}

bool PrivateServer::running() const { return pid() > 0; }

std::string PrivateServer::log_tail(std::size_t lines) const { return last_lines(read_from(impl_->log, 0), lines); }

Result<void> PrivateServer::start() {
  std::lock_guard lock(impl_->mutex);
  if (impl_->process.running()) return {};
  end_servers_in(impl_->data);
  SY_TRY(impl_->write_files());

  std::error_code ignored;
  if (fs::file_size(impl_->log, ignored) > kLargestLog && !ignored) fs::remove(impl_->log, ignored);
  const int log = open(impl_->log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (log < 0) {
    return Error(ErrorKind::Config, "cannot write " + impl_->log + ": " + std::generic_category().message(errno));
  }
  struct stat before{};
  fstat(log, &before);
  auto started = launch({.program = impl_->binaries.program("postgres"),
                         .arguments = {"-D", impl_->data},
                         .environment = clean_environment(impl_->data),
                         .account = impl_->account,
                         .output = log});
  close(log);
  if (!started.ok()) return started.error();
  impl_->process = *started;
  impl_->frozen = false;
  auto ready = impl_->wait_until_ready(static_cast<std::size_t>(before.st_size),
                                       Clock::now() + impl_->options.start_timeout);
  if (!ready.ok()) (void)impl_->end(StopMode::immediate);
  return ready;
}

Result<void> PrivateServer::stop(StopMode mode) {
  std::lock_guard lock(impl_->mutex);
  return impl_->end(mode);
}

Result<void> PrivateServer::restart(StopMode mode) {
  std::lock_guard lock(impl_->mutex);
  SY_TRY(stop(mode));
  return start();
}

void PrivateServer::kill9() {
  std::lock_guard lock(impl_->mutex);
  if (!impl_->process.running()) return;
  // Stopped first, so that it starts no backend between listing and killing.
  impl_->process.signal(SIGSTOP);
  for (pid_t pid : processes_in(impl_->data)) kill(pid, SIGKILL);
  impl_->process.signal(SIGKILL);
  (void)impl_->process.wait_until(Clock::now() + kKillEnd);
  const auto deadline = Clock::now() + kKillEnd;
  while (!processes_in(impl_->data).empty() && Clock::now() < deadline) std::this_thread::sleep_for(kReadyPoll);
  impl_->frozen = false;
}

void PrivateServer::freeze() {
  std::lock_guard lock(impl_->mutex);
  if (!impl_->process.running()) return;
  impl_->process.signal(SIGSTOP);
  for (pid_t pid : processes_in(impl_->data)) kill(pid, SIGSTOP);
  impl_->frozen = true;
}

void PrivateServer::thaw() {
  std::lock_guard lock(impl_->mutex);
  if (!impl_->frozen) return;
  for (pid_t pid : processes_in(impl_->data)) kill(pid, SIGCONT);
  impl_->frozen = false;
}

Result<void> PrivateServer::set(std::string_view setting, std::string_view value) {
  std::lock_guard lock(impl_->mutex);
  impl_->options.settings[std::string(setting)] = value;
  SY_TRY(impl_->write_files());
  if (!impl_->process.running()) return {};
  // pg_reload_conf() would do, but a standby or a full server may take no session.
  impl_->process.signal(SIGHUP);
  return {};
}

Result<SqlResult> PrivateServer::execute(std::string_view sql, std::string_view database, Duration timeout) {
  const TimePoint deadline = deadline_after(Clock::now(), timeout);
  auto session = ControlSession::connect(impl_->socket_file(), impl_->options.superuser, database, deadline);
  if (!session.ok()) return session.error().with_context("private server '" + impl_->name + "'");
  return session->execute(sql, deadline);
}

Result<std::string> PrivateServer::query_value(std::string_view sql, std::string_view database, Duration timeout) {
  auto result = execute(sql, database, timeout);
  if (!result.ok()) return result.error();
  if (result->rows.size() != 1 || result->rows[0].size() != 1) {
    return Error(ErrorKind::Mapping, "expected one value, got " + std::to_string(result->rows.size()) +
                                         " rows of " + std::to_string(result->columns.size()) + " columns");
  }
  return result->rows[0][0].value_or("");
}

Result<void> PrivateServer::create_database(std::string_view database, const DatabaseOptions& options) {
  std::string sql = "CREATE DATABASE " + quote_identifier(database);
  if (!options.owner.empty()) sql += " OWNER " + quote_identifier(options.owner);
  if (!options.template_database.empty()) sql += " TEMPLATE " + quote_identifier(options.template_database);
  auto done = execute(sql);
  if (!done.ok()) return done.error();
  return {};
}

Result<void> PrivateServer::drop_database(std::string_view database) {
  auto done = execute("DROP DATABASE IF EXISTS " + quote_identifier(database) + " WITH (FORCE)");
  if (!done.ok()) return done.error();
  return {};
}

Result<void> PrivateServer::create_role(std::string_view role, const RoleOptions& options) {
  std::string sql = "CREATE ROLE " + quote_identifier(role) + " " + options.attributes;
  if (!options.password.empty()) sql += " PASSWORD " + quote_literal(options.password.reveal());
  for (std::size_t i = 0; i < options.member_of.size(); ++i) {
    sql += (i == 0 ? " IN ROLE " : ", ") + quote_identifier(options.member_of[i]);
  }
  auto done = execute(sql);
  if (!done.ok()) return done.error();
  return {};
}

Result<void> PrivateServer::promote(Duration timeout) {
  const auto seconds = std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(timeout).count());
  auto promoted = query_value("SELECT pg_promote(true, " + std::to_string(seconds) + ")", "postgres", timeout + 1s);
  if (!promoted.ok()) return promoted.error();
  if (*promoted == "t") return {};
  return Error(ErrorKind::Deadline, "private server '" + impl_->name + "' was not promoted in time");
}

Result<bool> PrivateServer::in_recovery() {
  auto answer = query_value("SELECT pg_is_in_recovery()");
  if (!answer.ok()) return answer.error();
  return *answer == "t";
}

Result<void> PrivateServer::follow(PrivateServer& upstream) {
  const std::string slot = quote_literal(impl_->name);
  auto made = upstream.execute(
      "SELECT pg_create_physical_replication_slot(" + slot +
      ", true) WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = " + slot + ")");
  if (!made.ok()) return made.error();
  std::lock_guard lock(impl_->mutex);
  impl_->upstream_host = upstream.impl_->sockets;
  impl_->upstream_port = upstream.impl_->port;
  impl_->slot = impl_->name;
  SY_TRY(impl_->write_files());
  impl_->process.signal(SIGHUP);
  return {};
}

Result<void> PrivateServer::catch_up(PrivateServer& upstream, Duration timeout) {
  const TimePoint deadline = deadline_after(Clock::now(), timeout);
  // Not pg_current_wal_insert_lsn(): that may lie behind a page header that is not yet written.
  auto target = upstream.query_value(
      "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END");
  if (!target.ok()) return target.error();
  const std::string question = "SELECT pg_last_wal_replay_lsn() >= " + quote_literal(*target) + "::pg_lsn";
  for (;;) {
    auto there = query_value(question);
    if (!there.ok()) return there.error();
    if (*there == "t") return {};
    if (Clock::now() >= deadline) {
      return Error(ErrorKind::Deadline,
                   "replica '" + impl_->name + "' did not replay up to " + *target + " in time");
    }
    std::this_thread::sleep_for(kReplayPoll);
  }
}

Result<void> PrivateServer::pause_replay() {
  auto done = execute("SELECT pg_wal_replay_pause()");
  if (!done.ok()) return done.error();
  // The request is obeyed between two records.
  for (const TimePoint deadline = Clock::now() + 10s; Clock::now() < deadline;) {
    auto state = query_value("SELECT pg_get_wal_replay_pause_state()");
    if (!state.ok()) return state.error();
    if (*state == "paused") return {};
    std::this_thread::sleep_for(kReplayPoll);
  }
  return Error(ErrorKind::Deadline, "replica '" + impl_->name + "' did not pause its replay");
}

Result<void> PrivateServer::resume_replay() {
  auto done = execute("SELECT pg_wal_replay_resume()");
  if (!done.ok()) return done.error();
  return {};
}

}  // namespace switchyard::inline v0::embedded
