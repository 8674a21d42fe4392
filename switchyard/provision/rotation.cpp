#include <switchyard/provision/rotation.hpp>

#include <switchyard/base/suggest.hpp>
#include <switchyard/fleet/transaction.hpp>
#include <switchyard/provision/administrator.hpp>
#include <switchyard/provision/secret_store.hpp>
#include <switchyard/provision/sql_text.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/session/password_file.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>

namespace switchyard::inline v0::provision {

namespace {

/// One role, wherever it is.
struct Work {
  const DesiredRole* role = nullptr;
  std::vector<std::size_t> servers;
};

class Rotation {
 public:
  Rotation(std::vector<DesiredServer> servers, RotationOptions options)
      : servers_(std::move(servers)), options_(std::move(options)) {
    for (const DesiredServer& server : servers_) admins_.push_back(std::make_unique<Administrator>(server));
  }

  Task<std::vector<RotationReport>> run() {
    std::vector<RotationReport> reports;
    for (const Work& work : chosen()) {
      if (options_.only_finish && !is_proposed(work.role->password_file)) continue;
      RotationReport& report = reports.emplace_back();
      report.role = work.role->name;
      report.file = work.role->password_file;
      auto done = co_await as_result(rotate_one(work, report));
      if (!done.ok()) report.error = done.error();
    }
    for (const auto& admin : admins_) co_await admin->close();
    co_return reports;
  }

 private:
  /// Throws a Config error for a role that is not of the fleet.
  [[nodiscard]] std::vector<Work> chosen() const {
    std::map<std::string, Work> all;
    std::vector<std::string> order;
    for (std::size_t i = 0; i < servers_.size(); ++i) {
      for (const DesiredRole& role : servers_[i].roles) {
        if (!role.login) continue;
        Work& work = all[role.name];
        if (work.role == nullptr) {
          work.role = &role;
          order.push_back(role.name);
        }
        work.servers.push_back(i);
      }
    }
    for (const std::string& name : options_.roles) {
      if (all.contains(name)) continue;
      std::vector<std::string_view> known(order.begin(), order.end());
      throw Error(ErrorKind::Config, "no role '" + name + "' of this fleet logs in")
          .with_hint(did_you_mean(name, known));
    }
    std::vector<Work> out;
    for (const std::string& name : order) {
      const Work& work = all[name];
      const bool named = std::ranges::find(options_.roles, name) != options_.roles.end();
      const bool of_database =
          options_.databases.empty() || std::ranges::any_of(work.role->databases, [&](const std::string& one) {
            return std::ranges::find(options_.databases, one) != options_.databases.end();
          });
      if (!options_.roles.empty() ? named : of_database) out.push_back(work);
    }
    return out;
  }

  Task<void> rotate_one(const Work& work, RotationReport& report) {
    const DesiredRole& role = *work.role;
    if (role.password_file.empty()) {
      throw Error(ErrorKind::Config, "the password of " + role.name + " is from " + role.password_place +
                                         ", which can't be written to")
          .with_hint("keep it in a file that the fleet file names: password = \"${file:secrets/" + role.name +
                     "}\"");
    }
    // Everybody is asked before anybody is told.
    for (const std::size_t index : work.servers) {
      if (!locked_.contains(index)) co_await admins_[index]->lock(options_.told);
      locked_.insert(index);
      Lease lease = co_await admins_[index]->lease();
      const auto there =
          co_await lease.query_value<bool>("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role.name);
      if (!there) {
        throw Error(ErrorKind::Config, "there is no role " + role.name + " on " + servers_[index].place)
            .with_hint("switchyard provision apply makes it");
      }
    }
    report.finished_earlier = is_proposed(role.password_file);
    if (!report.finished_earlier && !kept_password(role.password_file) && !options_.confirm &&
        role.password.empty()) {
      throw Error(ErrorKind::Config,
                  "nobody here knows the present password of " + role.name + "; those who use it would be refused")
          .with_hint("put it into " + role.password_file + " (mode 0600), or rotate with --confirm " +
                     servers_.front().application);
    }
    const Secret password = propose_password(role.password_file).value_or_throw();
    const PlanOptions scram = plan_options();
    for (const std::size_t index : work.servers) {
      Lease lease = co_await admins_[index]->lease();
      co_await tell(lease, role.name, scram.verifier(password));
      report.servers.push_back(servers_[index].place);
      if (options_.told) options_.told(role.name + ": " + servers_[index].place + " has the new password");
    }
    adopt_password(role.password_file).value_or_throw();
  }

  static Task<void> tell(Lease& lease, const std::string& role, std::string verifier) {
    const auto superuser =
        co_await lease.query_value<bool>("SELECT rolsuper FROM pg_roles WHERE rolname = current_user");
    const std::string sql = "ALTER ROLE " + name_sql(role) + " PASSWORD " + text_sql(verifier);
    auto done = co_await as_result(lease.transaction([&](Transaction& tx) -> Task<void> {
      if (superuser) co_await tx.script(kKeepOutOfLog);
      co_await tx.script(sql);
    }));
    if (!done.ok()) throw done.error().with_context("ALTER ROLE " + name_sql(role) + " PASSWORD (SCRAM verifier)");
  }

  std::vector<DesiredServer> servers_;
  RotationOptions options_;
  std::vector<std::unique_ptr<Administrator>> admins_;
  std::set<std::size_t> locked_;
};

}  // namespace

Task<std::vector<RotationReport>> rotate(FleetConfig fleet, RotationOptions options) {
  std::vector<DesiredServer> servers = desired_servers(fleet).value_or_throw();
  for (const std::string& name : options.databases) {
    if (auto resolved = fleet.resolve(name); !resolved.ok()) throw resolved.error();
  }
  Rotation rotation(std::move(servers), std::move(options));
  co_return co_await rotation.run();
}

}  // namespace switchyard::inline v0::provision
