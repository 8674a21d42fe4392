// Asks Patroni's REST API who the members of a cluster are and who leads it: places that the configuration does not
// name are found, and a change of the leader is looked at without waiting for the next probe. Patroni only hints:
// who the primary is, the servers say themselves.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/fleet/patroni_cluster.hpp>
#include <switchyard/httpc/client.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/owned_task.hpp>
#include <switchyard/runtime/task.hpp>

#include <functional>
#include <string>
#include <vector>

namespace switchyard::inline v0::fleet {

/// Belongs to the shard it is started on.
class PatroniSource {
 public:
  using OnMembers = std::function<void(const std::vector<PatroniMember>& members)>;

  /// `url` is that of one member's API ("http://db1:8008"), or of something in front of all.
  PatroniSource(std::string database, std::string url, Duration interval, OnMembers on_members);

  /// The first question is asked in this turn. Once.
  void start();
  /// Asks now, unless an answer is due.
  void poke() noexcept { wake_.notify(); }
  void stop() noexcept { task_.reset(); }

 private:
  Task<void> run();
  void note(bool answers, const std::string& why);

  std::string database_;
  std::string url_;
  Duration interval_;
  OnMembers on_members_;
  httpc::Client client_;
  bool answers_ = true;
  runtime::AsyncEvent wake_;
  runtime::OwnedTask task_;
};

}  // namespace switchyard::inline v0::fleet
