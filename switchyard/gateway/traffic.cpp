#include <switchyard/gateway/traffic.hpp>

namespace switchyard::inline v0::gateway {

Traffic& Traffic::operator+=(const Traffic& other) noexcept {
  assignments += other.assignments;
  transactions += other.transactions;
  queries += other.queries;
  shared += other.shared;
  pinned += other.pinned;
  at_replicas += other.at_replicas;
  reads_at_primary += other.reads_at_primary;
  received += other.received;
  sent += other.sent;
  in_transactions += other.in_transactions;
  in_queries += other.in_queries;
  waited += other.waited;
  client_parses += other.client_parses;
  server_parses += other.server_parses;
  binds += other.binds;
  logins += other.logins;
  return *this;
}

TrafficAverages averages_of(const Traffic& newer, const Traffic& older, Duration apart) {
  TrafficAverages out;
  const double seconds = std::chrono::duration<double>(apart).count();
  if (seconds <= 0) return out;
  const auto rate = [seconds](std::uint64_t now, std::uint64_t before) {
    return static_cast<std::uint64_t>(static_cast<double>(now - before) / seconds);
  };
  const auto each = [](Duration now, Duration before, std::uint64_t count) {
    return count == 0 ? Duration::zero() : (now - before) / static_cast<std::int64_t>(count);
  };
  out.assignments = rate(newer.assignments, older.assignments);
  out.transactions = rate(newer.transactions, older.transactions);
  out.queries = rate(newer.queries, older.queries);
  out.received = rate(newer.received, older.received);
  out.sent = rate(newer.sent, older.sent);
  out.transaction = each(newer.in_transactions, older.in_transactions, newer.transactions - older.transactions);
  out.query = each(newer.in_queries, older.in_queries, newer.queries - older.queries);
  out.wait = each(newer.waited, older.waited, newer.assignments - older.assignments);
  out.client_parses = rate(newer.client_parses, older.client_parses);
  out.server_parses = rate(newer.server_parses, older.server_parses);
  out.binds = rate(newer.binds, older.binds);
  out.logins = rate(newer.logins, older.logins);
  return out;
}

Traffic& TrafficBook::of(std::string_view database) {
  const auto found = pages_.find(database);
  return found != pages_.end() ? found->second.now : pages_[std::string(database)].now;
}

void TrafficBook::add(const TrafficBook& other) {
  for (const auto& [database, page] : other.pages_) {
    Page& sum = pages_[database];
    sum.now += page.now;
    sum.newer += page.newer;
    sum.older += page.older;
  }
  if (period_ == Duration::zero()) period_ = other.period_;
}

void TrafficBook::turn_page(TimePoint now) {
  if (turned_ != TimePoint{}) period_ = now - turned_;
  turned_ = now;
  for (auto& [database, page] : pages_) {
    page.older = page.newer;
    page.newer = page.now;
  }
}

}  // namespace switchyard::inline v0::gateway
