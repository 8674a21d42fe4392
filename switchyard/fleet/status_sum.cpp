#include <switchyard/fleet/status_sum.hpp>

#include <algorithm>
#include <string_view>

namespace switchyard::inline v0::fleet {
namespace {

void add(PoolStatus& sum, const PoolStatus& other) {
  sum.total += other.total;
  sum.active += other.active;
  sum.idle += other.idle;
  sum.connecting += other.connecting;
  sum.tested += other.tested;
  sum.outdated += other.outdated;
  sum.waiting += other.waiting;
  sum.longest_wait = std::max(sum.longest_wait, other.longest_wait);
  sum.created += other.created;
  sum.closed += other.closed;
  sum.timeouts += other.timeouts;
  sum.exhausted += other.exhausted;
}

void add(OperationStatus& sum, const OperationStatus& other) {
  sum.count += other.count;
  sum.errors += other.errors;
  sum.slow += other.slow;
  sum.slow_acquires += other.slow_acquires;
  sum.retries += other.retries;
  sum.p50 = std::max(sum.p50, other.p50);
  sum.p95 = std::max(sum.p95, other.p95);
  sum.p99 = std::max(sum.p99, other.p99);
  sum.acquire_p50 = std::max(sum.acquire_p50, other.acquire_p50);
  sum.acquire_p95 = std::max(sum.acquire_p95, other.acquire_p95);
  sum.acquire_p99 = std::max(sum.acquire_p99, other.acquire_p99);
}

void add(std::vector<StatementStatus>& sum, const std::vector<StatementStatus>& other) {
  for (const StatementStatus& one : other) {
    const auto known = std::ranges::find_if(
        sum, [&](const StatementStatus& two) { return two.name == one.name && two.access == one.access; });
    if (known == sum.end()) {
      sum.push_back(one);
      continue;
    }
    known->count += one.count;
    known->errors += one.errors;
    known->p50 = std::max(known->p50, one.p50);
    known->p95 = std::max(known->p95, one.p95);
    known->p99 = std::max(known->p99, one.p99);
  }
}

void add(std::vector<LaneStatus::Reason>& sum, const std::vector<LaneStatus::Reason>& other) {
  for (const LaneStatus::Reason& one : other) {
    const auto known = std::ranges::find(sum, one.why, &LaneStatus::Reason::why);
    if (known == sum.end()) {
      sum.push_back(one);
    } else {
      known->count += one.count;
    }
  }
}

void add(LaneStatus& sum, const LaneStatus& other) {
  sum.sessions += other.sessions;
  sum.outstanding += other.outstanding;
  sum.queued += other.queued;
  sum.statements += other.statements;
  sum.syncs += other.syncs;
  sum.reissued += other.reissued;
  sum.cancels += other.cancels;
  sum.alarms += other.alarms;
  add(sum.exits, other.exits);
  add(sum.refusals, other.refusals);
}

void add(LimiterReport& sum, const LimiterReport& other) {
  sum.limit += other.limit;
  sum.in_flight += other.in_flight;
  sum.waiting += other.waiting;
}

void add(SpoolStatus& sum, const SpoolStatus& other) {
  sum.kept_total += other.kept_total;
  sum.drained_total += other.drained_total;
  if (sum.last_error.empty()) sum.last_error = other.last_error;
}

template <class T>
void add_optional(std::optional<T>& sum, const std::optional<T>& other) {
  if (!other) return;
  if (sum) {
    add(*sum, *other);
  } else {
    sum = other;
  }
}

void add(EndpointStatus& sum, const EndpointStatus& other) {
  sum.opened = sum.opened || other.opened;
  add_optional(sum.pool, other.pool);
  add(sum.operations, other.operations);
  add(sum.reads, other.reads);
  add(sum.writes, other.writes);
  add(sum.statements, other.statements);
  if (sum.last_error.empty()) sum.last_error = other.last_error;
  add_optional(sum.limiter, other.limiter);
  add_optional(sum.lane, other.lane);
  if (!sum.replication) sum.replication = other.replication;
}

void add(DatabaseStatus& sum, const DatabaseStatus& other) {
  sum.retries += other.retries;
  sum.retries_refused += other.retries_refused;
  add_optional(sum.spool, other.spool);
  for (const EndpointStatus& endpoint : other.endpoints) {
    const auto known = std::ranges::find_if(sum.endpoints, [&](const EndpointStatus& one) {
      return one.role == endpoint.role && one.name == endpoint.name;
    });
    if (known == sum.endpoints.end()) {
      sum.endpoints.push_back(endpoint);
    } else {
      add(*known, endpoint);
    }
  }
}

void add(telemetry::OperationTotals& sum, const telemetry::OperationTotals& other) {
  sum.count += other.count;
  for (std::size_t i = 0; i < sum.errors.size(); ++i) sum.errors[i] += other.errors[i];
  sum.slow += other.slow;
  sum.slow_acquires += other.slow_acquires;
  sum.retries += other.retries;
  sum.within_target += other.within_target;
  sum.acquire.merge(other.acquire);
  sum.execution.merge(other.execution);
  for (const telemetry::StatementNumbers& one : other.statements) {
    const auto known = std::ranges::lower_bound(sum.statements, one.name, {}, &telemetry::StatementNumbers::name);
    if (known == sum.statements.end() || known->name != one.name) {
      sum.statements.insert(known, one);
      continue;
    }
    known->errors += one.errors;
    known->execution.merge(one.execution);
  }
}

}  // namespace

void add(FleetStatus& sum, const FleetStatus& other) {
  for (const DatabaseStatus& database : other.databases) {
    const auto known = std::ranges::find(sum.databases, database.name, &DatabaseStatus::name);
    if (known == sum.databases.end()) {
      sum.databases.push_back(database);
    } else {
      add(*known, database);
    }
  }
}

void add(FleetStatistics& sum, const FleetStatistics& other) {
  for (const EndpointStatistics& endpoint : other.endpoints) {
    const auto known = std::ranges::find_if(sum.endpoints, [&](const EndpointStatistics& one) {
      return one.database == endpoint.database && one.role == endpoint.role && one.name == endpoint.name;
    });
    if (known == sum.endpoints.end()) {
      sum.endpoints.push_back(endpoint);
      continue;
    }
    add(known->reads, endpoint.reads);
    add(known->writes, endpoint.writes);
    known->committed += endpoint.committed;
    known->rolled_back += endpoint.rolled_back;
    known->create_time.merge(endpoint.create_time);
    known->wait_time.merge(endpoint.wait_time);
    known->use_time.merge(endpoint.use_time);
  }
  sum.traces.exported += other.traces.exported;
  sum.traces.dropped += other.traces.dropped;
  sum.traces.failed += other.traces.failed;
  sum.traces.queued += other.traces.queued;
}

}  // namespace switchyard::inline v0::fleet
