#include <switchyard/gateway/transaction_start.hpp>

namespace switchyard::inline v0::gateway {
namespace {

using Kind = SqlWord::Kind;
using Access = TransactionStart::Access;

bool ends(const SqlWord& word) noexcept {
  return word.kind == Kind::end || word.kind == Kind::unfinished || word.is_sign(';');
}

/// The modes behind BEGIN, or behind SET TRANSACTION. Gives the word that ends them; one that is not understood
/// makes it none.
SqlWord read_modes(SqlWords& words, SqlWord word, TransactionStart& start) {
  for (; !ends(word); word = words.next()) {
    if (word.is_sign(',') || word.is("work") || word.is("transaction") || word.is("deferrable") || word.is("not")) {
      continue;
    }
    if (word.is("isolation")) {
      (void)words.next();  // LEVEL
      word = words.next();
      start.serializable = word.is("serializable");
      start.other_isolation = !start.serializable;
      if (!start.serializable) word = words.next();  // READ COMMITTED, REPEATABLE READ ...
      if (ends(word)) return word;
      continue;
    }
    if (word.is("read")) {
      word = words.next();
      start.access = word.is("only") ? Access::read_only : Access::read_write;
      if (ends(word)) return word;
      continue;
    }
    start.access = Access::read_write;
  }
  return word;
}

/// Whether the statement that begins with `word` ends a transaction. `word` becomes what ends the statement.
bool ends_transaction(SqlWords& words, SqlWord& word) {
  bool ended = word.is("commit") || word.is("end") || word.is("abort") || word.is("prepare") || word.is("rollback");
  const bool prepares = word.is("prepare");
  if (ended) {
    word = words.next();
    if (prepares) ended = word.is("transaction");
    if (word.is("work") || word.is("transaction")) word = words.next();
    if (word.is("to") || word.is("prepared")) ended = false;
    if (word.is("and")) {
      word = words.next();
      ended = word.is("no");
    }
  }
  while (!ends(word)) word = words.next();
  return ended;
}

}  // namespace

TransactionStart read_transaction_start(std::string_view sql, Backslash backslash) {
  constexpr TransactionStart kNone;
  SqlWords words(sql, backslash);
  SqlWord word = words.next();
  while (word.is_sign(';')) word = words.next();
  if (word.is("start")) {
    word = words.next();
    if (!word.is("transaction")) return kNone;
  } else if (!word.is("begin")) {
    return kNone;
  }
  TransactionStart start{.access = Access::session};
  word = read_modes(words, words.next(), start);
  bool ended = false;
  while (word.kind != Kind::end) {
    if (word.kind == Kind::unfinished) return kNone;
    word = words.next();
    if (ends(word)) continue;
    if (ended) return kNone;
    if (word.is("set")) {
      word = words.next();
      if (word.is("transaction")) {
        word = read_modes(words, words.next(), start);
        continue;
      }
    }
    ended = ends_transaction(words, word);
  }
  return start;
}

std::optional<std::size_t> end_of_transaction(std::string_view sql, Backslash backslash) {
  SqlWords words(sql, backslash);
  for (SqlWord word = words.next();; word = words.next()) {
    while (word.is_sign(';')) word = words.next();
    if (!ends_transaction(words, word)) {
      if (word.kind == Kind::end || word.kind == Kind::unfinished) return std::nullopt;
      continue;
    }
    if (word.kind == Kind::unfinished) return std::nullopt;
    while (word.is_sign(';')) word = words.next();
    return word.kind == Kind::end ? sql.size() : word.at;
  }
}

}  // namespace switchyard::inline v0::gateway
