// Name lookups that never hold up anything else. getaddrinfo() blocks, sometimes for minutes; it runs on a few
// threads of our own, and who waits for it waits no longer than the caller wants.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/runtime/address.hpp>
#include <switchyard/runtime/task.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace switchyard::inline v0::runtime {

/// - One lookup per host and port is in flight; all who ask meanwhile share its answer.
/// - A lookup that fails, or does not answer within `timeout`, is answered by the last good answer, if there is
/// one.
/// - Destruction never waits: a thread stuck in a lookup is left behind and finds that nobody wants its answer.
class SWITCHYARD_API Resolver {
 public:
  using Lookup = std::function<Result<std::vector<SocketAddress>>(const std::string& host, std::uint16_t port)>;
  struct Options {
    std::size_t threads = 4;
    Duration timeout = std::chrono::seconds(10);  ///< per lookup, whatever the callers' deadlines are
    std::size_t max_waiting_lookups = 256;        ///< different names that wait for a thread
    std::size_t max_remembered = 1024;            ///< last good answers; the longest unused goes first
    Lookup lookup;                                ///< empty: the system's getaddrinfo()
  };

  Resolver();
  explicit Resolver(Options options);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// Addresses in the order of preference, at least one. Numeric hosts are answered at once. Errors are of kind
  /// Unavailable, stage connecting: `could not translate host name "db" to address: Name or service not known`.
  [[nodiscard]] Task<Result<std::vector<SocketAddress>>> resolve(std::string host, std::uint16_t port,
                                                                 TimePoint deadline);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Asks the resolver of the process.
[[nodiscard]] SWITCHYARD_API Task<Result<std::vector<SocketAddress>>> resolve(std::string host, std::uint16_t port,
                                                                              TimePoint deadline);

}  // namespace switchyard::inline v0::runtime
