// What the gateway knows of one server session, whoever uses it: the statements it prepared there, the settings
// that hold, what the server has reported, and the answers that are still due. It stays with the session while that
// is in the pool. Internal to the room.
#pragma once

#include <switchyard/gateway/interns.hpp>
#include <switchyard/gateway/setting_sets.hpp>
#include <switchyard/session/session.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace switchyard::inline v0::gateway {

/// An answer, or what stands in the place of one.
struct Step {
  enum class Kind : std::uint8_t {
    query,               ///< ReadyForQuery ends it
    parse,               ///< ParseComplete
    bind,                ///< BindComplete
    describe_statement,  ///< ParameterDescription, then RowDescription or NoData
    describe_portal,     ///< RowDescription or NoData
    execute,             ///< CommandComplete, EmptyQueryResponse, PortalSuspended
    close,               ///< CloseComplete
    sync,                ///< ReadyForQuery
    call,                ///< FunctionCallResponse, ReadyForQuery
    copy_end,            ///< no answer: the client has ended a COPY, if there was one; a Sync that a COPY took
    own_parse_complete,  ///< no answer: the client is told ParseComplete in this place
    own_close_complete,  ///< likewise
  };
  Kind kind = Kind::query;
  bool hidden = false;     ///< the client has not asked, and is not shown the answer, but for an error
  bool silent = false;     ///< hidden, and its error too
  bool part = false;       ///< of what the client sent as one: its ReadyForQuery is not shown, and the rest follows
  bool registers = false;  ///< a Parse that puts its statement on the session
  bool failed = false;     ///< a query: an error came
  bool syntax_error = false;
  bool completed = false;                  ///< a query: a statement of it was done
  bool sets_unnamed = false;               ///< the unnamed statement of the session is another one afterwards
  InternRef unnamed_before{};              ///< and was this
  InternRef intern;                        ///< of parse, bind
  std::shared_ptr<const ClientText> text;  ///< of a query: what it claims
  /// What the client is told instead of the server's error: a text of the gateway's own was sent to fail.
  std::shared_ptr<const ServerFields> refusal;
};

class SessionState final : public session::Session::Keepsake {
 public:
  // ---- answers that are due ----

  void expect(Step step) {
    if (is_boundary(step.kind)) {
      ++boundaries_;
      last_boundary_ = next_step();
    }
    steps_.push_back(std::move(step));
  }
  [[nodiscard]] bool drained() const noexcept { return head_ == steps_.size(); }
  [[nodiscard]] Step& head() noexcept { return steps_[head_]; }
  [[nodiscard]] Step* ahead(std::size_t distance) noexcept {
    return head_ + distance < steps_.size() ? &steps_[head_ + distance] : nullptr;
  }
  /// The step that was expected last makes it the unnamed statement.
  void set_unnamed(InternRef intern) {
    Step& step = steps_.back();
    step.sets_unnamed = true;
    step.unnamed_before = std::exchange(unnamed, std::move(intern));
  }
  /// The first step that is due and sets the unnamed statement; null: none.
  [[nodiscard]] Step* unnamed_setter() noexcept {
    for (std::size_t i = head_; i < steps_.size(); ++i) {
      if (steps_[i].sets_unnamed) return &steps_[i];
    }
    return nullptr;
  }
  /// What sets the unnamed statement may yet be passed over, unlike what is sent now.
  [[nodiscard]] bool unnamed_uncertain() const noexcept {
    for (std::size_t i = steps_.size(); i-- > head_;) {
      if (steps_[i].sets_unnamed) return popped_ + (i - head_) < last_boundary_;
    }
    return false;
  }
  /// The one that was expected last; null: nothing is due.
  [[nodiscard]] Step* last() noexcept { return drained() ? nullptr : &steps_.back(); }
  void pop() noexcept {
    Step& step = steps_[head_];
    if (is_boundary(step.kind)) --boundaries_;
    step.intern.reset();
    step.unnamed_before.reset();
    step.text.reset();
    step.refusal.reset();
    ++head_;
    ++popped_;
    if (head_ == steps_.size()) {
      steps_.clear();
      head_ = 0;
      if (steps_.capacity() > kKeptSteps) steps_.shrink_to_fit();
    } else if (head_ >= kKeptSteps && head_ >= steps_.size() / 2) {
      // Somebody who always has something due never comes to the end.
      steps_.erase(steps_.begin(), steps_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
  }
  /// The server passes over it without an answer.
  void ignore(Step& step) noexcept {
    if (is_boundary(step.kind)) --boundaries_;
    step.kind = Step::Kind::copy_end;
  }
  /// Answers that are due.
  [[nodiscard]] std::size_t due() const noexcept { return steps_.size() - head_; }
  /// Those that are kept, due or not: at most twice as many as are due, and kKeptSteps.
  [[nodiscard]] std::size_t kept() const noexcept { return steps_.size(); }
  /// Room for steps that is kept while nothing is due.
  static constexpr std::size_t kKeptSteps = 256;
  /// ReadyForQuery that are due.
  [[nodiscard]] std::size_t boundaries() const noexcept { return boundaries_; }
  /// The number of the last of those that were expected, due or not.
  [[nodiscard]] std::uint64_t last_boundary() const noexcept { return last_boundary_; }
  /// The number of the step that is expected next.
  [[nodiscard]] std::uint64_t next_step() const noexcept { return popped_ + (steps_.size() - head_); }
  /// The number of the step at the head.
  [[nodiscard]] std::uint64_t head_step() const noexcept { return popped_; }

  // ---- statements that are prepared ----

  /// Names of statements that may be gone are kept, up to so many.
  static constexpr std::size_t kMostForgotten = 1024;

  struct Prepared {
    InternRef intern;
    std::uint64_t step = 0;  ///< of its Parse
    std::uint64_t used = 0;
  };
  [[nodiscard]] Prepared* find(const Intern& intern) noexcept {
    const auto found = prepared_.find(intern.number);
    return found == prepared_.end() ? nullptr : &found->second;
  }
  void add(InternRef intern) {
    const std::uint32_t number = intern->number;
    prepared_[number] = {std::move(intern), next_step(), ++uses_};
  }
  void touch(Prepared& prepared) noexcept { prepared.used = ++uses_; }
  void remove(const Intern& intern) { prepared_.erase(intern.number); }
  /// They may be gone, or not: their names are not used again.
  void forget_statements() {
    for (const auto& [number, one] : prepared_) forgotten_.push_back(name_of(*one.intern));
    if (forgotten_.size() > kMostForgotten) forgotten_.clear();
    prepared_.clear();
    ++generation_;
  }
  /// Names of all that may be there, forgotten ones among them. They go from the server now; whoever asks for this
  /// sees to it.
  [[nodiscard]] std::vector<std::string> take_statements() {
    std::vector<std::string> all = std::exchange(forgotten_, {});
    for (const auto& [number, one] : prepared_) all.push_back(name_of(*one.intern));
    prepared_.clear();
    return all;
  }
  /// What the statement is called here.
  [[nodiscard]] std::string name_of(const Intern& intern) const {
    return generation_ == 0 ? intern.server_name : intern.server_name + '_' + std::to_string(generation_);
  }
  [[nodiscard]] std::size_t prepared() const noexcept { return prepared_.size(); }
  /// The one that was not used for the longest and is not on its way; null: none.
  [[nodiscard]] InternRef least_used() const noexcept {
    const Prepared* least = nullptr;
    for (const auto& [number, one] : prepared_) {
      if (one.step < popped_ && (least == nullptr || one.used < least->used)) least = &one;
    }
    return least == nullptr ? nullptr : least->intern;
  }

  std::string prefix;           ///< of the names of its statements
  SettingsRef settings;         ///< that hold
  SettingsRef parameters;       ///< as reported
  InternRef unnamed;            ///< the unnamed statement, if it is one that is known
  bool fenced = false;          ///< a cancel request has been sent since all was quiet
  bool held_custom = false;     ///< a setting that belongs to no part of the server was set once
  std::uint32_t last_user = 0;  ///< the client that had it last
  /// A client that asks for the values of sequences had it: others take another one if they can. 0: none.
  std::uint32_t sequences_of = 0;

 private:
  static bool is_boundary(Step::Kind kind) noexcept {
    return kind == Step::Kind::query || kind == Step::Kind::sync || kind == Step::Kind::call;
  }
  std::vector<Step> steps_;
  std::size_t head_ = 0;
  std::uint64_t popped_ = 1;  ///< and one more
  std::size_t boundaries_ = 0;
  std::uint64_t last_boundary_ = 0;
  std::uint64_t uses_ = 0;
  std::uint32_t generation_ = 0;
  std::vector<std::string> forgotten_;  // names that may be there
  std::unordered_map<std::uint32_t, Prepared> prepared_;
};

}  // namespace switchyard::inline v0::gateway
