// A gateway for tests, to one database "main", on a thread of its own.
#pragma once

#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/gateway/gateway.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <tests/support/temp_folder.hpp>
#include <tests/support/tls_files.hpp>

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>

namespace switchyard::testing {

/// Of the Unix-domain path.
inline constexpr int kDoorPort = 6433;

struct DoorOptions {
  std::string more;        ///< TOML
  std::string fleet = {};  ///< the same, of [fleet]
  std::string users;
  bool tls = false;
  std::function<void(gateway::GatewaySettings&)> change;
};

/// A gateway to one database "main", on a thread of its own, over a Unix socket and TCP.
class Door {
 public:
  explicit Door(const embedded::TestDatabase& database, DoorOptions options = {})
      : Door(database.endpoint().uri(), std::move(options)) {}
  explicit Door(const std::string& dsn, DoorOptions options = {}) {
    std::promise<std::uint16_t> opened;
    auto port = opened.get_future();
    thread_ = std::thread(
        [this, &dsn, &opened, with = std::move(options)] { shard_.run_until_complete(serve(dsn, with, opened)); });
    port_ = port.get();
  }
  ~Door() {
    shard_.post([this] { stop_ = true; });
    thread_.join();
  }
  std::string local(const std::string& dbname = "main") const {
    return "host=" + folder_.path().string() + " port=" + std::to_string(kDoorPort) +
           " user=postgres dbname=" + dbname + " ";
  }
  std::string tcp(const std::string& more = "") const {
    return "host=127.0.0.1 port=" + std::to_string(port_) + " user=postgres dbname=main " + more + " ";
  }
  std::uint16_t port() const { return port_; }
  std::string folder() const { return folder_.path().string(); }
  TlsFiles& files() { return *files_; }
  gateway::GatewayStatus status() {
    std::promise<gateway::GatewayStatus> asked;
    shard_.post([&] { asked.set_value(gateway_->status()); });
    return asked.get_future().get();
  }
  /// The shared lanes of the database.
  LaneStatus lane() {
    std::promise<LaneStatus> asked;
    shard_.post([&] {
      const FleetStatus status = fleet_->status();
      asked.set_value(status.databases.at(0).endpoints.at(0).lane.value_or(LaneStatus()));
    });
    return asked.get_future().get();
  }
  /// What psql says, with these arguments (for a shell), and whether it ended well.
  std::pair<std::string, bool> psql(const std::string& dbname, const std::string& arguments) const {
    const std::string command = "PGHOST=" + folder() + " PGPORT=" + std::to_string(kDoorPort) +
                                " PGUSER=postgres PGDATABASE=" + dbname + " psql -X -At -v ON_ERROR_STOP=1 " +
                                arguments + " 2>&1";
    FILE* const pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) return {"psql can't be run", false};
    std::string said;
    std::array<char, 1024> piece{};
    while (std::fgets(piece.data(), piece.size(), pipe) != nullptr) said += piece.data();
    return {said, ::pclose(pipe) == 0};
  }
  void reload(std::function<void(gateway::GatewaySettings&)> change) {
    std::promise<void> done;
    shard_.post([&] {
      gateway::GatewaySettings settings = settings_;
      change(settings);
      gateway_->reload(std::move(settings));
      done.set_value();
    });
    done.get_future().get();
  }
  void close() {
    std::promise<void> done;
    shard_.post([&] {
      gateway_->close();
      done.set_value();
    });
    done.get_future().get();
  }

 private:
  Task<void> serve(std::string dsn, DoorOptions options, std::promise<std::uint16_t>& opened) {
    Sources sources;
    sources.file = "test.toml";
    sources.file_text = "[fleet]\napplication = \"test\"\n" + options.fleet + "[database.main]\ndsn = \"" + dsn +
                        "\"\n" + options.more;
    auto fleet = Fleet::open(load_config(sources).value_or_throw()).value_or_throw();
    gateway::GatewaySettings settings;
    settings.listen.push_back(
        runtime::SocketAddress::unix_domain(folder_.file(".s.PGSQL." + std::to_string(kDoorPort)))
            .value_or_throw());
    settings.listen.push_back(runtime::SocketAddress::ip("127.0.0.1", 0).value_or_throw());
    settings.users = gateway::UserList::parse(options.users, "userlist.txt").value_or_throw();
    if (options.tls) {
      files_.emplace();
      settings.tls =
          runtime::TlsContext::server({.certificate = files_->server.certificate, .key = files_->server.key})
              .value_or_throw();
    }
    if (options.change) options.change(settings);
    settings_ = settings;
    fleet_ = fleet.get();
    gateway_ = gateway::Gateway::open(*fleet, std::move(settings)).value_or_throw();
    opened.set_value(gateway_->addresses().back().port());
    while (!stop_) co_await sleep(std::chrono::milliseconds(5));
    gateway_.reset();
    co_await fleet->close();
  }

  TempFolder folder_;
  std::optional<TlsFiles> files_;
  runtime::Shard shard_;
  std::unique_ptr<gateway::Gateway> gateway_;
  gateway::GatewaySettings settings_;
  Fleet* fleet_ = nullptr;
  bool stop_ = false;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace switchyard::testing
