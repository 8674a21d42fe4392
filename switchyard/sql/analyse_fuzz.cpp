// Any text, and texts put together from pieces of the language, which get further: whatever they are, the answer
// comes, is the same twice, and errs to the side of "may do anything".
#include <switchyard/sql/facts_text.hpp>
#include <switchyard/sql/parser.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace switchyard::sql;

constexpr auto kPieces = std::to_array<std::string_view>({"SELECT",
                                                          "1",
                                                          "a",
                                                          "b.c",
                                                          "f(",
                                                          ")",
                                                          "(",
                                                          ",",
                                                          "FROM",
                                                          "t",
                                                          "WHERE",
                                                          "=",
                                                          "IN",
                                                          "AND",
                                                          "NOT",
                                                          "BETWEEN",
                                                          "LIKE",
                                                          "'now'",
                                                          "'x'",
                                                          "::",
                                                          "s.u",
                                                          "[",
                                                          "]",
                                                          "CASE",
                                                          "WHEN",
                                                          "THEN",
                                                          "END",
                                                          "WITH",
                                                          "RECURSIVE",
                                                          "x AS (",
                                                          "INSERT",
                                                          "INTO",
                                                          "UPDATE",
                                                          "SET (a, b)",
                                                          "DELETE",
                                                          "UNION",
                                                          "ALL",
                                                          "ORDER BY",
                                                          "GROUP BY",
                                                          "OVER (",
                                                          "FILTER (",
                                                          "VALUES",
                                                          ";",
                                                          "$1",
                                                          "ROW(",
                                                          "ARRAY[",
                                                          "EXPLAIN",
                                                          "ANALYZE",
                                                          "JOIN",
                                                          "USING (a)",
                                                          "LATERAL",
                                                          "DISTINCT",
                                                          "INTO n",
                                                          "FOR UPDATE",
                                                          "RETURNING",
                                                          "*",
                                                          ".",
                                                          "AS",
                                                          "int",
                                                          "CAST(",
                                                          "extract(",
                                                          "OPERATOR(s.+)",
                                                          "-",
                                                          "NULL",
                                                          "current_user",
                                                          "DECLARE c CURSOR FOR",
                                                          "COPY (",
                                                          "TO STDOUT",
                                                          "CREATE TABLE",
                                                          "TABLESAMPLE",
                                                          "xmlforest(",
                                                          "MERGE INTO",
                                                          "ON",
                                                          "SET",
                                                          "DO",
                                                          "\"q\"",
                                                          "--",
                                                          "/*",
                                                          "*/",
                                                          "E'\\",
                                                          "$$",
                                                          "SEARCH DEPTH FIRST BY a SET o",
                                                          "WINDOW w AS (",
                                                          "RANGE 1 PRECEDING",
                                                          "LIMIT",
                                                          "EXISTS (",
                                                          "ANY ("});

std::string text_of_bytes(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || data[0] % 2 == 0) {
    return size == 0 ? std::string() : std::string(reinterpret_cast<const char*>(data) + 1, size - 1);
  }
  std::string text;
  for (std::size_t i = 1; i < size; ++i) {
    text += kPieces[data[i] % kPieces.size()];
    text += ' ';
  }
  return text;
}

template <class T>
void expect_a_set(const std::vector<T>& list) {
  if (std::ranges::adjacent_find(list, [](const T& left, const T& right) { return !(left < right); }) !=
      list.end()) {
    std::abort();
  }
}

void check(std::string_view text) {
  const StatementFacts facts = Parser::of_process().analyse_now(text);
  expect_a_set(facts.relations);
  expect_a_set(facts.functions);
  expect_a_set(facts.operators);
  expect_a_set(facts.types);
  expect_a_set(facts.fields);
  expect_a_set(facts.value_functions);
  expect_a_set(facts.effects);
  expect_a_set(facts.constructs);

  const bool anything = std::ranges::find(facts.effects, Effect::anything) != facts.effects.end();
  if (facts.kind == StatementKind::unknown) {
    if (!facts.writes || !anything || facts.why_unknown.empty()) std::abort();
    return;
  }
  const std::string in_words = text_of(facts);
  if (text_of(Parser::of_process().analyse_now(std::string(text) + "\n/* and nothing */")) != in_words &&
      text.size() < 1000) {
    std::abort();
  }
  if (facts.kind != StatementKind::select || facts.writes) return;
  // Nothing is lost inside another statement.
  const StatementFacts planned = Parser::of_process().analyse_now("EXPLAIN ANALYZE " + std::string(text));
  if (planned.kind == StatementKind::unknown || planned.kind == StatementKind::several) return;
  if (planned.functions != facts.functions || planned.relations != facts.relations ||
      planned.operators != facts.operators || planned.effects != facts.effects) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check(text_of_bytes(data, size));
  return 0;
}
