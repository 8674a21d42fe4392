// A gate between a client and a real server, through which a test can delay, cut, stall, corrupt and slow down the
// bytes, at an exact place or on command.
//
//   Gate gate(GateTarget::unix_socket(endpoint.host, endpoint.port));
//   gate.at_byte(GateDirection::to_client, 100, GateFault::cut(GateCut::reset));
//   connect to gate.port() on 127.0.0.1 ...
//
// Runs on a thread of its own with plain POSIX calls, so that it shares no code with what it tests. All methods may
// be called from any thread at any time. Bytes are counted for each connection and direction from its start.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace switchyard::testing {

enum class GateDirection { to_server, to_client };

/// How a connection ends.
enum class GateCut {
  close,  ///< FIN to both peers, as an orderly close
  reset,  ///< RST to both peers (on a Unix socket: a close)
};

/// What the gate does with a new connection.
enum class GateDoor {
  open,     ///< connects it to the server
  refused,  ///< nobody listens: connection refused
  reset,    ///< accepts and resets at once
  silent,   ///< accepts and never says a word; nothing reaches the server
};

/// The server behind the gate.
struct GateTarget {
  std::string host;  ///< a socket folder if it begins with '/', else an IPv4 address
  std::uint16_t port = 0;

  static GateTarget unix_socket(std::string folder, std::uint16_t port) { return {std::move(folder), port}; }
  static GateTarget tcp(std::uint16_t port) { return {"127.0.0.1", port}; }
};

/// What happens when a connection reaches a place.
struct GateFault {
  enum class Kind { cut, stall, corrupt, delay } kind = Kind::cut;
  GateCut how = GateCut::close;
  unsigned char mask = 0xFF;
  std::chrono::milliseconds pause{0};

  /// Ends the connection; what came before the place has been passed on.
  static GateFault cut(GateCut how) { return {.kind = Kind::cut, .how = how}; }
  /// Passes nothing on in this direction until Gate::resume().
  static GateFault stall() { return {.kind = Kind::stall}; }
  /// Flips these bits of the byte at the place.
  static GateFault corrupt(unsigned char mask = 0xFF) { return {.kind = Kind::corrupt, .mask = mask}; }
  /// Waits once, then goes on.
  static GateFault delay(std::chrono::milliseconds pause) { return {.kind = Kind::delay, .pause = pause}; }
};

/// Which connections meet a fault.
enum class GateScope {
  first,  ///< the first that reaches the place
  every,  ///< every one
};

class Gate {
 public:
  /// Listens on 127.0.0.1, on a free port.
  explicit Gate(GateTarget target);
  /// Listens on the Unix socket `folder`/.s.PGSQL.`port`.
  Gate(GateTarget target, const std::string& folder, std::uint16_t port);
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  /// Resets what is still connected.
  ~Gate();

  /// Where clients connect.
  [[nodiscard]] std::uint16_t port() const noexcept;

  // --- faults at a place, for connections there are and those to come ------------------------------------------
  /// Before the byte with this index (from 0) passes.
  void at_byte(GateDirection direction, std::uint64_t offset, GateFault fault, GateScope scope = GateScope::first);
  /// After this many whole messages of the PostgreSQL protocol have passed; with `extra`, that many bytes into the
  /// next. The untyped startup packets and the one-byte answers to SSLRequest and GSSENCRequest count as messages.
  /// Counting ends where TLS begins.
  void after_messages(GateDirection direction, std::uint64_t count, GateFault fault,
                      GateScope scope = GateScope::first, std::uint64_t extra = 0);
  /// Forgets faults that have not fired.
  void clear_faults();

  // --- commands, for all connections, from now on ----------------------------------------------------------------
  void cut_all(GateCut how);
  void stall(GateDirection direction);
  /// Ends every stall.
  void resume();
  /// Each byte passes this much later.
  void set_delay(GateDirection direction, std::chrono::milliseconds delay);
  /// 0: unlimited.
  void set_bandwidth(GateDirection direction, std::uint64_t bytes_per_second);
  /// Passes on at most so many bytes a write; 0: unlimited.
  void set_largest_write(GateDirection direction, std::size_t bytes);
  /// What happens to connections to come.
  void set_door(GateDoor door);
  /// Where connections to come are connected to.
  void set_target(GateTarget target);

  // --- what happened
  // -----------------------------------------------------------------------------------------------
  /// Connections accepted so far.
  [[nodiscard]] std::size_t accepted() const;
  [[nodiscard]] std::size_t open_connections() const;
  /// Bytes passed on, over all connections.
  [[nodiscard]] std::uint64_t bytes(GateDirection direction) const;
  /// Whole messages passed on, over all connections, as after_messages() counts them.
  [[nodiscard]] std::uint64_t messages(GateDirection direction) const;
  /// Faults that have fired.
  [[nodiscard]] std::size_t fired() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace switchyard::testing
