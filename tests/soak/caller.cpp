#include "caller.hpp"

#include "site.hpp"

#include <switchyard/runtime/task_tools.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace soak {
namespace {

using namespace std::chrono_literals;

constexpr int kDroppedPercent = 4;
constexpr int kLimitedPercent = 3;
constexpr int kThinkPercent = 30;

std::int64_t now_ns() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

const std::vector<Shape>& all_shapes() {
  static const std::vector<Shape> shapes = [] {
    std::vector<Shape> out;
    for (const auto list : {reading_shapes(), session_shapes(), writing_shapes()}) {
      out.insert(out.end(), list.begin(), list.end());
    }
    return out;
  }();
  return shapes;
}

sy::Task<bool> finish(sy::Task<void> task) {
  co_await std::move(task);
  co_return true;
}
sy::Task<bool> nap(sy::Duration wait) {
  co_await sy::sleep(wait);
  co_return false;
}

template <std::size_t kSize>
bool contains(const std::array<std::string_view, kSize>& list, std::string_view value) {
  return std::ranges::find(list, value) != list.end();
}

/// What ended sessions, failovers, deadlocks and recovery conflicts are answered with.
constexpr std::array<std::string_view, 12> kDisturbed{"57P01", "57P02", "57P03", "08000", "08003", "08006",
                                                      "08001", "40001", "40P01", "53300", "25P02", "08P01"};
/// What DDL does to statements on any session: a name that is gone, a relation dropped between two steps (its oid
/// can't be opened), a plan whose columns changed within a transaction.
constexpr std::array<std::string_view, 4> kMoved{"42P01", "42703", "XX000", "0A000"};

}  // namespace

Caller::Caller(Common& common, sy::Fleet& fleet, int id, std::uint64_t seed)
    : common_(common), fleet_(fleet), id_(id), random_(seed) {}

int Caller::any_item() { return 1 + below(kItems); }

sy::Statement Caller::statement(std::string_view sql) {
  sy::Statement out{.sql = sql};
  if (percent(kLimitedPercent)) {
    out.timeout = std::chrono::milliseconds(1 + below(20));
    limit();
  }
  return out;
}

void Caller::require(bool holds, std::string_view what, std::string_view got) const {
  if (holds) return;
  std::string text = std::string(shape_) + " of caller " + std::to_string(id_) + ", tag '" + tag_ + "': ";
  text += what;
  if (!got.empty()) text += ": '" + std::string(got.substr(0, 300)) + "'";
  throw Wrong(text);
}

void Caller::wrote(const std::string& tag) {
  doubtful_.erase(tag);
  last_ = tag;
}

void Caller::require_own(std::string_view got) const {
  require(got == last_ || doubtful_.contains(std::string(got)), "does not see its own last write '" + last_ + "'",
          got.empty() ? "nothing" : got);
}

const Shape& Caller::choose() {
  if (!common_.only.empty()) {
    const auto at = std::ranges::find(all_shapes(), common_.only, &Shape::name);
    if (at == all_shapes().end()) throw std::invalid_argument("no statement is named '" + common_.only + "'");
    return *at;
  }
  static const unsigned total =
      std::accumulate(all_shapes().begin(), all_shapes().end(), 0U,
                      [](unsigned sum, const Shape& shape) { return sum + shape.weight; });
  auto at = static_cast<unsigned>(below(static_cast<int>(total)));
  for (const Shape& shape : all_shapes()) {
    if (at < shape.weight) return shape;
    at -= shape.weight;
  }
  return all_shapes().front();
}

sy::Task<void> Caller::run() {
  while (!common_.stop) {
    const Shape& shape = choose();
    tag_ = "t" + std::to_string(id_) + "." + std::to_string(number_++);
    shape_ = shape.name;
    limited_ = on_moving_ground_ = false;
    auto& began = common_.began[static_cast<std::size_t>(id_)];
    began = now_ns();
    co_await run_once(shape);
    began = 0;
    if (percent(kThinkPercent)) co_await sy::sleep(std::chrono::milliseconds(below(20)));
  }
  ++common_.ended;
}

sy::Task<void> Caller::run_once(const Shape& shape) {
  try {
    Outcome outcome = Outcome::right;
    if (percent(kDroppedPercent)) {
      const auto ended = co_await sy::any(finish(shape.run(*this)), nap(std::chrono::microseconds(below(15'000))));
      if (ended.index() == 1) outcome = Outcome::dropped;
    } else {
      co_await shape.run(*this);
    }
    common_.score.note(shape.name, outcome);
  } catch (const Wrong& wrong) {
    common_.score.fail(wrong.what());
    common_.stop = true;
  } catch (const sy::Error& error) {
    judge(shape, error);
  }
}

/// Is this an error that somebody may get through no fault of others?
void Caller::judge(const Shape& shape, const sy::Error& error) {
  const std::string_view sqlstate = error.sqlstate();
  Outcome outcome = Outcome::refused;
  bool explained = false;
  switch (error.kind()) {
    case sy::ErrorKind::Deadline:
    case sy::ErrorKind::PoolExhausted:
      explained = limited_;
      outcome = Outcome::timed_out;
      break;
    case sy::ErrorKind::Unavailable:
    case sy::ErrorKind::InDoubt: explained = true; break;
    case sy::ErrorKind::Closed:  // a lease whose session has died
      explained = error.message().find("the session was lost") != std::string_view::npos;
      break;
    case sy::ErrorKind::Server:
      explained = contains(kDisturbed, sqlstate) || (on_moving_ground_ && contains(kMoved, sqlstate)) ||
                  (sqlstate == "57014" && limited_) || (sqlstate == "25006" && common_.failed_over);
      break;
    default: break;
  }
  common_.score.note(shape.name, outcome);
  common_.score.note_error(error);
  if (explained) return;
  common_.score.fail(std::string(shape.name) + " of caller " + std::to_string(id_) + ", tag '" + tag_ +
                     "': an error that is not its own: " + std::string(to_string(error.kind())) + " " +
                     std::string(sqlstate) + " " + error.what() + " [" + std::string(error.route()) + "]");
  common_.stop = true;
}

}  // namespace soak
