#include <switchyard/base/ascii.hpp>
#include <switchyard/fleet/spool_recorder.hpp>
#include <switchyard/session/result_states.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

constexpr std::array<std::string_view, 5> kReads{"select", "values", "table", "show", "explain"};
constexpr std::array<std::string_view, 4> kWrites{"insert", "update", "delete", "merge"};

bool is_in_word(char c) noexcept { return base::is_letter(c) || c == '_'; }

/// The next word of letters in `sql`, in lower case; removes what is up to its end.
std::string next_word(std::string_view& sql) {
  while (!sql.empty() && !is_in_word(sql.front())) sql.remove_prefix(1);
  std::string word;
  while (!sql.empty() && is_in_word(sql.front())) {
    word += base::to_lower(sql.front());
    sql.remove_prefix(1);
  }
  return word;
}

bool contains(const auto& words, std::string_view word) noexcept {
  return std::ranges::find(words, word) != words.end();
}

}  // namespace

bool wants_no_rows(const session::OperationState& operation) noexcept {
  return !operation.script && dynamic_cast<const session::AffectedState*>(&operation) != nullptr;
}

bool is_read_text(std::string_view sql) noexcept {
  // A comment in front makes it unrecognised, hence no read: the cautious answer.
  std::string_view rest = sql;
  while (!rest.empty() &&
         (rest.front() == '(' || rest.front() == ' ' || (rest.front() >= '\t' && rest.front() <= '\r'))) {
    rest.remove_prefix(1);
  }
  if (rest.empty() || !is_in_word(rest.front())) return false;
  const std::string first = next_word(rest);
  if (contains(kReads, first)) return true;
  if (first != "with") return false;
  while (!rest.empty()) {
    if (contains(kWrites, next_word(rest))) return false;
  }
  return true;
}

void SpoolRecorder::start(session::OperationState& operation) noexcept {
  operation.route = reason_;
  if (operation.keeps_session_clean && operation.script) {
    command(operation, operation.parts.front().sql);
  } else {
    record(operation);
  }
}

void SpoolRecorder::record(session::OperationState& operation) noexcept {
  if (!wants_no_rows(operation)) {
    operation.fail(Error(ErrorKind::Unavailable,
                         "a statement with a result can't be kept for later: '" + database_ + "' is down")
                       .with_hint("use execute() without RETURNING: in such a transaction nothing can be read"));
    return;
  }
  const Result<void> appended = append_to_entry(entry_, operation);
  if (!appended.ok()) {
    operation.fail(appended.error().with_context("'" + database_ + "' is down"));
    return;
  }
  operation.finish();
}

void SpoolRecorder::command(session::OperationState& operation, std::string_view sql) noexcept {
  if (sql.starts_with("COMMIT")) {
    target_->commit(operation, std::exchange(entry_, {}));
    return;
  }
  if (sql.starts_with("SAVEPOINT")) {
    savepoints_.push_back(entry_.size());
  } else if (sql.starts_with("ROLLBACK TO")) {
    if (!savepoints_.empty()) {
      entry_.erase(entry_.begin() + static_cast<std::ptrdiff_t>(savepoints_.back()), entry_.end());
      savepoints_.pop_back();
    }
  } else if (sql.starts_with("RELEASE")) {
    if (!savepoints_.empty()) savepoints_.pop_back();
  } else if (sql.starts_with("ROLLBACK")) {
    entry_.clear();
    savepoints_.clear();
  }
  operation.on_command_complete(sql.substr(0, sql.find(' ')));
  operation.finish();
}

}  // namespace switchyard::inline v0::fleet
