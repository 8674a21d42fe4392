#include <switchyard/sql/parser.hpp>

#include <switchyard/sql/analyse.hpp>

#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <deque>
#include <future>
#include <mutex>
#include <utility>

#include <pthread.h>

namespace switchyard::inline v0::sql {

namespace {

StatementFacts refused(std::string why) {
  StatementFacts facts;
  facts.why_unknown = std::move(why);
  facts.effects.push_back(Effect::anything);
  return facts;
}

/// A thread with a large stack and no signals. False when the system gives none.
bool start_thread(pthread_t& thread, void* (*run)(void*), void* argument) noexcept {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // inherited
  const bool started = pthread_attr_setstacksize(&attributes, kAnalysisStack) == 0 &&
                       pthread_create(&thread, &attributes, run, argument) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  return started;
}

}  // namespace

struct Parser::State {
  struct Work {
    std::string text;
    Done done;
  };

  enum class Stage : std::uint8_t { not_started, runs, ended };

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Work> waiting;
  std::size_t waiting_bytes = 0;
  Stage stage = Stage::not_started;
  pthread_t thread{};

  /// With the mutex held.
  bool started() noexcept {
    if (stage == Stage::not_started && start_thread(thread, &State::run, this)) stage = Stage::runs;
    return stage == Stage::runs;
  }

  static void* run(void* self) {
    static_cast<State*>(self)->work();
    return nullptr;
  }

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return stage == Stage::ended || !waiting.empty(); });
      if (stage == Stage::ended) return;
      Work next = std::move(waiting.front());
      waiting.pop_front();
      waiting_bytes -= next.text.size();
      lock.unlock();
      next.done(sql::analyse(next.text));
      next = {};
      lock.lock();
    }
  }
};

Parser::Parser() : state_(std::make_unique<State>()) {}
Parser::~Parser() { stop(); }

Parser& Parser::of_process() {
  // Never destroyed, so that whoever outlives main() is refused instead of finding nothing.
  static Parser& parser = *new Parser;
  static const struct AtExit {
    ~AtExit() { parser.stop(); }
  } at_exit;
  return parser;
}

bool Parser::analyse(std::string text, Done done) {
  {
    const std::scoped_lock lock(state_->mutex);
    if (state_->waiting.size() >= kMaxWaitingTexts || state_->waiting_bytes + text.size() > kMaxWaitingBytes ||
        !state_->started()) {
      return false;
    }
    state_->waiting_bytes += text.size();
    state_->waiting.push_back({std::move(text), std::move(done)});
  }
  state_->changed.notify_one();
  return true;
}

StatementFacts Parser::analyse_now(std::string_view text) {
  auto answer = std::make_shared<std::promise<StatementFacts>>();  // then only the work's: dropped with it
  auto facts = answer->get_future();
  {
    const std::scoped_lock lock(state_->mutex);
    if (!state_->started()) return refused("there is no thread to analyse it");
    state_->waiting_bytes += text.size();
    state_->waiting.push_front({std::string(text), [answer = std::move(answer)](StatementFacts found) {
                                  answer->set_value(std::move(found));
                                }});
  }
  state_->changed.notify_one();
  try {
    return facts.get();
  } catch (const std::future_error&) {  // stopped before its turn: the promise was dropped
    return refused("the process ends");
  }
}

void Parser::stop() noexcept {
  State::Stage before;
  std::deque<State::Work> dropped;
  {
    const std::scoped_lock lock(state_->mutex);
    before = std::exchange(state_->stage, State::Stage::ended);
    dropped = std::exchange(state_->waiting, {});
    state_->waiting_bytes = 0;
  }
  state_->changed.notify_all();
  dropped.clear();  // who waits for them goes on now
  if (before == State::Stage::runs) pthread_join(state_->thread, nullptr);
}

}  // namespace switchyard::inline v0::sql
