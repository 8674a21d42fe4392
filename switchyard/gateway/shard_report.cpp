#include <switchyard/gateway/shard_report.hpp>

#include <switchyard/fleet/status_sum.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace switchyard::inline v0::gateway {

void add(ShardReport& sum, ShardReport other) {
  for (ShardReport::Pools& pools : other.pools) {
    const auto known = std::ranges::find(sum.pools, pools.role, &ShardReport::Pools::role);
    if (known == sum.pools.end()) {
      sum.pools.push_back(std::move(pools));
    } else {
      fleet::add(known->fleet, pools.fleet);
    }
  }
  const auto append = [](auto& to, auto& from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  };
  append(sum.clients, other.clients);
  std::ranges::sort(sum.clients, {}, &ClientReport::id);
  append(sum.sessions, other.sessions);
  append(sum.statements, other.statements);
  sum.traffic.add(other.traffic);
}

}  // namespace switchyard::inline v0::gateway
