// A client on the wire that trusts nothing it is told: messages are written and read here, byte by byte, and an
// answer that PostgreSQL would not give is Wrong. Blocks; for one thread.
#pragma once

#include "score.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace soak {

/// The connection has ended; `sqlstate` of the last words, if there were any.
struct Lost : std::runtime_error {
  Lost(std::string state, const std::string& what) : std::runtime_error(what), sqlstate(std::move(state)) {}
  std::string sqlstate;
};

/// A statement was answered with an error.
struct Refused : std::runtime_error {
  Refused(std::string state, const std::string& what) : std::runtime_error(what), sqlstate(std::move(state)) {}
  std::string sqlstate;
};

using WireValue = std::optional<std::string>;

/// What came up to a ReadyForQuery.
struct Answer {
  std::vector<std::vector<WireValue>> rows;
  std::vector<std::string> tags;  ///< of CommandComplete
  std::string order;              ///< types of messages, those that come at any time left out
  std::string sqlstate;           ///< of an ErrorResponse; empty: none
  std::string message;
  std::string copied;  ///< CopyData, joined
  char status = '?';
};

struct WireNotification {
  std::string channel, payload;
};

struct WirePlace {
  std::string path;  ///< of the Unix-domain socket
  std::string user, database;
};

class WireClient {
 public:
  /// Logs in. Throws Lost.
  WireClient(const WirePlace& place, std::string_view application_name);
  WireClient(const WireClient&) = delete;
  WireClient& operator=(const WireClient&) = delete;
  /// Closes, without a goodbye.
  ~WireClient();

  // Messages are gathered until send().
  WireClient& query(std::string_view sql);
  WireClient& parse(std::string_view name, std::string_view sql);
  WireClient& bind(std::string_view portal, std::string_view name, std::span<const std::string> values);
  WireClient& describe(char what, std::string_view name);
  WireClient& execute(std::string_view portal, std::uint32_t most = 0);
  WireClient& close(char what, std::string_view name);
  WireClient& sync();
  WireClient& flush();
  WireClient& copy_data(std::string_view data);
  WireClient& copy_done();
  WireClient& terminate();

  /// Throws Lost. Only the first `most` bytes, if that is given.
  void send(std::size_t most = SIZE_MAX);
  /// Up to ReadyForQuery. Throws Lost; Wrong after a minute, or if the messages don't fit.
  [[nodiscard]] Answer receive();
  /// send() and receive().
  [[nodiscard]] Answer ask();
  /// The next notification; waits for it.
  [[nodiscard]] WireNotification hear();
  [[nodiscard]] std::vector<WireNotification>& heard() { return heard_; }
  /// Asks on a connection of its own to cancel what runs here, and waits until that connection is closed.
  void cancel() const;
  /// Between reads of a large answer.
  void be_slow(bool slow) { slow_ = slow; }
  [[nodiscard]] const std::map<std::string, std::string>& parameters() const { return parameters_; }

 private:
  struct Message {
    char type;
    std::string body;
  };
  void begin(char type);
  void end();
  void put(std::string_view text);
  template <class T>
  void number(T value);
  [[nodiscard]] Message read();
  void note(const Message& message);

  WirePlace place_;
  int socket_ = -1;
  std::string out_, in_;
  std::size_t at_ = 0;  ///< where the length of the message that is written stands
  std::map<std::string, std::string> parameters_;
  std::vector<WireNotification> heard_;
  std::string key_;  ///< body of BackendKeyData
  std::string last_sqlstate_, last_message_;
  bool slow_ = false;
};

}  // namespace soak
