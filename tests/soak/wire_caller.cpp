#include "wire_caller.hpp"

#include "site.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <utility>

namespace soak {
namespace {

using namespace std::chrono_literals;

constexpr int kThinkPercent = 30;
constexpr auto kPhase = 3000ms;
constexpr auto kCalm = 2200ms;
constexpr const char* kApplication = "soak over the wire";

/// What ended sessions, failovers, deadlocks and recovery conflicts are answered with. Empty: the connection ended
/// without a word.
constexpr std::array<std::string_view, 11> kDisturbed{"",      "57P01", "57P02", "57P03", "08000", "08006",
                                                      "08001", "40001", "40P01", "53300", "08004"};
/// What DDL does to statements on any session.
constexpr std::array<std::string_view, 4> kMoved{"42P01", "42703", "XX000", "0A000"};

std::int64_t now_ns() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

}  // namespace

std::map<std::string, std::string> first_settings() {
  return {{"work_mem", kWorkMemory}, {"application_name", kApplication}};
}

WireCaller::WireCaller(Common& common, WirePlace place, int id, std::uint64_t seed)
    : common_(common), place_(std::move(place)), id_(id), random_(seed), score_(seed) {}

std::string WireCaller::channel() const { return "c" + std::to_string(id_) + "_" + std::to_string(generation_); }

void WireCaller::connect() {
  while (!client_ && !common_.stop) {
    ++generation_;
    model_ = {};
    model_.settings = first_settings();
    try {
      client_ = std::make_unique<WireClient>(place_, kApplication);
    } catch (const Lost& lost) {
      score_.note("login", Outcome::refused);
      if (!explains(lost.sqlstate)) return fail(std::string("login: ") + lost.sqlstate + " " + lost.what());
      std::this_thread::sleep_for(10ms);
    }
  }
}

void WireCaller::leave() { client_.reset(); }

/// While the catalogue changes, lanes stand aside until they have seen it: so it rests for most of the time.
bool WireCaller::catalogue_rests() { return std::chrono::steady_clock::now().time_since_epoch() % kPhase < kCalm; }

const WireShape& WireCaller::choose() {
  const auto shapes = wire_shapes();
  if (!common_.only.empty()) {
    const auto at = std::ranges::find(shapes, common_.only, &WireShape::name);
    if (at == shapes.end())
      throw std::invalid_argument("no statement over the wire is named '" + common_.only + "'");
    return *at;
  }
  const unsigned total = std::accumulate(shapes.begin(), shapes.end(), 0U,
                                         [](unsigned sum, const WireShape& shape) { return sum + shape.weight; });
  auto at = static_cast<unsigned>(below(static_cast<int>(total)));
  for (const WireShape& shape : shapes) {
    if (at < shape.weight) return shape.changes_catalogue && catalogue_rests() ? shapes.front() : shape;
    at -= shape.weight;
  }
  return shapes.front();
}

void WireCaller::run() {
  auto& began = common_.began[static_cast<std::size_t>(id_)];
  try {
    while (!common_.stop) {
      began = now_ns();
      connect();
      if (!client_) break;
      run_once(choose());
      began = 0;
      if (percent(kThinkPercent)) std::this_thread::sleep_for(std::chrono::milliseconds(below(20)));
    }
  } catch (const std::exception& error) {
    fail(error.what());
  }
  began = 0;
  client_.reset();
  ++common_.ended;
}

void WireCaller::run_once(const WireShape& shape) {
  tag_ = "w" + std::to_string(id_) + "." + std::to_string(number_++);
  shape_ = shape.name;
  on_moving_ground_ = false;
  try {
    shape.run(*this);
    score_.note(shape.name, client_ ? Outcome::right : Outcome::dropped);
    // Nobody else's, and nothing that nobody waits for.
    if (client_) require(client_->heard().empty(), "heard what was not for it");
  } catch (const Wrong& wrong) {
    fail(wrong.what());
  } catch (const Lost& lost) {
    score_.note(shape.name, Outcome::refused);
    if (!explains(lost.sqlstate)) fail("lost: " + lost.sqlstate + " " + lost.what());
    client_.reset();
  } catch (const Refused& refused) {
    score_.note(shape.name, Outcome::refused);
    if (!explains(refused.sqlstate))
      fail("an error that is not its own: " + refused.sqlstate + " " + refused.what());
    client_.reset();  // in the middle of whatever it was
  }
}

bool WireCaller::explains(const std::string& sqlstate) const {
  return std::ranges::find(kDisturbed, sqlstate) != kDisturbed.end() ||
         (on_moving_ground_ && std::ranges::find(kMoved, sqlstate) != kMoved.end()) ||
         (sqlstate == "25006" && common_.failed_over);
}

void WireCaller::fail(const std::string& what) {
  common_.score.fail(std::string(shape_) + " of client " + std::to_string(id_) + ", tag '" + tag_ + "': " + what);
  common_.stop = true;
}

void WireCaller::require(bool holds, std::string_view what, std::string_view got) const {
  if (holds) return;
  std::string text(what);
  if (!got.empty()) text += ": '" + std::string(got.substr(0, 300)) + "'";
  throw Wrong(text);
}

const Answer& WireCaller::right(const Answer& answer) const {
  if (!answer.sqlstate.empty()) throw Refused(answer.sqlstate, answer.message);
  return answer;
}

Answer WireCaller::run(std::string_view sql) {
  Answer answer = client_->query(sql).ask();
  (void)right(answer);
  return answer;
}

std::vector<WireValue> WireCaller::tagged(const Answer& answer, char status) const {
  (void)right(answer);
  require(answer.rows.size() == 1 && !answer.rows[0].empty(), "not one row", std::to_string(answer.rows.size()));
  require(answer.rows[0][0] == tag_, "another tag than its own", answer.rows[0][0].value_or("NULL"));
  require(answer.status == status, "another transaction status than its own", std::string(1, answer.status));
  return answer.rows[0];
}

std::vector<WireValue> WireCaller::row(std::string_view sql) { return tagged(client_->query(sql).ask()); }

void WireCaller::wrote(const std::string& tag) {
  doubtful_.erase(tag);
  last_ = tag;
}

void WireCaller::require_own(std::string_view got) const {
  require(got == last_ || doubtful_.contains(std::string(got)), "does not see its own last write '" + last_ + "'",
          got.empty() ? "nothing" : got);
}

}  // namespace soak
