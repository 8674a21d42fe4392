// One client of the gateway in a thread of its own, with a model of the session it ought to have: whatever it asks
// has to be answered with its own tag, and with what it left there itself.
#pragma once

#include "caller.hpp"
#include "wire_client.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace soak {

/// What a client has made of its session.
struct SessionModel {
  std::map<std::string, int> prepared;    ///< name -> which text, by Parse
  std::map<std::string, int> remembered;  ///< the same by PREPARE
  std::map<std::string, std::string> settings;
  std::optional<std::string> temporary;  ///< what its temporary table holds
  std::set<int> locks;
  bool listening = false;
};

class WireCaller;

struct WireShape {
  const char* name;
  unsigned weight;
  void (*run)(WireCaller& me);
  /// Makes or drops something, if only for itself.
  bool changes_catalogue = false;
};
[[nodiscard]] std::span<const WireShape> wire_shapes();

class WireCaller {
 public:
  WireCaller(Common& common, WirePlace place, int id, std::uint64_t seed);

  /// Until the run stops.
  void run();
  [[nodiscard]] const Score& score() const { return score_; }
  /// Tags whose pieces were acknowledged.
  [[nodiscard]] const std::vector<std::string>& kept() const { return kept_; }

  // What shapes use.
  [[nodiscard]] WireClient& client() { return *client_; }
  [[nodiscard]] SessionModel& model() { return model_; }
  [[nodiscard]] int id() const { return id_; }
  [[nodiscard]] int generation() const { return generation_; }
  [[nodiscard]] const std::string& tag() const { return tag_; }
  [[nodiscard]] int below(int limit) { return static_cast<int>(random_.next() % static_cast<unsigned>(limit)); }
  [[nodiscard]] bool percent(int share) { return below(100) < share; }
  [[nodiscard]] std::string channel() const;
  void keep(const std::string& tag) { kept_.push_back(tag); }
  /// Ends the connection without a word, and begins another.
  void leave();
  /// DDL under the statement may fail it as it may on any session.
  void expect_ddl() { on_moving_ground_ = true; }

  /// Throws Wrong unless it holds.
  void require(bool holds, std::string_view what, std::string_view got = {}) const;
  /// Throws Refused if it is an error.
  const Answer& right(const Answer& answer) const;
  /// By the simple protocol; the one row, which begins with the tag. Throws Refused.
  std::vector<WireValue> row(std::string_view sql);
  /// By the simple protocol. Throws Refused.
  Answer run(std::string_view sql);
  /// Of an answer: its one row begins with the tag.
  std::vector<WireValue> tagged(const Answer& answer, char status = 'I') const;
  [[nodiscard]] std::string quoted_tag() const { return "'" + tag_ + "'"; }

  // The own row in `counters`.
  void writing(const std::string& tag) { doubtful_.insert(tag); }
  void wrote(const std::string& tag);
  void require_own(std::string_view got) const;

 private:
  const WireShape& choose();
  [[nodiscard]] static bool catalogue_rests();
  void connect();
  void run_once(const WireShape& shape);
  void fail(const std::string& what);
  [[nodiscard]] bool explains(const std::string& sqlstate) const;

  Common& common_;
  WirePlace place_;
  int id_;
  sy::Random random_;
  Score score_;
  std::unique_ptr<WireClient> client_;
  SessionModel model_;
  int generation_ = 0;
  std::uint64_t number_ = 0;
  std::string tag_;
  const char* shape_ = "login";
  bool on_moving_ground_ = false;
  std::string last_;
  std::set<std::string> doubtful_;
  std::vector<std::string> kept_;
};

/// What work_mem and application_name are for a client that has set nothing.
[[nodiscard]] std::map<std::string, std::string> first_settings();

}  // namespace soak
