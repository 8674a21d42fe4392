#include <switchyard/sql/analyse.hpp>

#include <switchyard/sql/classify.hpp>
#include <switchyard/sql/expansion.hpp>
#include <switchyard/sql/tree_walk.hpp>

#include <pg_query.h>

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace switchyard::inline v0::sql {

namespace {

namespace json = boost::json;

/// First block of a tree's memory; it grows by doubling. A common statement needs less.
constexpr std::size_t kFirstBlock = 32 << 10;

template <class T>
void tidy(std::vector<T>& list) {
  std::ranges::sort(list);
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

StatementFacts not_understood(std::string why) {
  StatementFacts facts;
  facts.why_unknown = std::move(why);
  facts.effects.push_back(Effect::anything);
  return facts;
}

bool is_ascii(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string fingerprint_of(const char* text) {
  const PgQueryFingerprintResult result = pg_query_fingerprint(text);
  std::string fingerprint =
      result.error == nullptr && result.fingerprint_str != nullptr ? result.fingerprint_str : "";
  pg_query_free_fingerprint_result(result);
  return fingerprint;
}

struct ParseResult {
  explicit ParseResult(const char* text) : answer(pg_query_parse(text)) {}
  ~ParseResult() { pg_query_free_parse_result(answer); }
  ParseResult(const ParseResult&) = delete;
  ParseResult& operator=(const ParseResult&) = delete;

  PgQueryParseResult answer;
};

/// {"RawStmt" without its name: {"stmt": {"Type": {...}}}}: the one inside.
const json::object* statement_of(const json::value& raw) {
  const json::object* fields = raw.if_object();
  const json::value* statement = fields != nullptr ? fields->if_contains("stmt") : nullptr;
  const json::object* wrapper = statement != nullptr ? statement->if_object() : nullptr;
  return wrapper != nullptr && wrapper->size() == 1 && wrapper->begin()->value().is_object() ? wrapper : nullptr;
}

StatementFacts facts_of(const json::array& statements) {
  StatementFacts facts;
  facts.writes = false;
  facts.kind = facts.inner_kind = StatementKind::empty;
  TreeWalk walk(facts);
  for (const json::value& raw : statements) {
    const json::object* wrapper = statement_of(raw);
    if (wrapper == nullptr) return not_understood("its parse tree has an unknown shape");
    const auto key = wrapper->begin()->key();
    const std::string_view type(key.data(), key.size());
    const json::object& fields = wrapper->begin()->value().get_object();
    classify(type, fields, facts);
    walk.node(type, fields);
  }
  if (statements.size() > 1) {
    facts.kind = facts.inner_kind = StatementKind::several;
    facts.why_unknown.clear();
  }
  return facts;
}

StatementFacts analyse_bounded(const std::string& text) {
  if (expands_too_much(text.c_str())) {
    return not_understood("its parse tree is made of more than " + std::to_string(kMaxTreeTokens) + " tokens");
  }
  const ParseResult parsed(text.c_str());
  if (parsed.answer.error != nullptr) return not_understood(parsed.answer.error->message);

  // Monotonic: the tree is given up as a whole, without recursion.
  json::monotonic_resource memory(kFirstBlock);
  json::error_code error;
  json::parse_options options;
  options.max_depth = kMaxParseTreeDepth;
  const json::value tree = json::parse(parsed.answer.parse_tree, error, &memory, options);
  if (error == json::error::too_deep) {
    return not_understood("its parse tree is deeper than " + std::to_string(kMaxParseTreeDepth) + " levels");
  }
  if (error && !is_ascii(text)) return not_understood("it is not UTF-8");
  if (error) return not_understood("its parse tree cannot be read: " + error.message());
  const json::object* root = tree.if_object();
  const json::value* statements = root != nullptr ? root->if_contains("stmts") : nullptr;
  if (statements == nullptr || !statements->is_array())
    return not_understood("its parse tree has an unknown shape");
  StatementFacts facts = facts_of(statements->get_array());
  if (facts.kind != StatementKind::empty) facts.fingerprint = fingerprint_of(text.c_str());
  return facts;
}

}  // namespace

StatementFacts analyse(std::string_view text) {
  StatementFacts facts;
  if (text.size() > kMaxAnalysedText) {
    facts = not_understood("it is longer than " + std::to_string(kMaxAnalysedText >> 10) + " kB");
  } else if (text.find('\0') != std::string_view::npos) {
    facts = not_understood("it contains a NUL byte");
  } else {
    try {
      facts = analyse_bounded(std::string(text));
    } catch (const std::exception& failure) {
      facts = not_understood(failure.what());
    }
  }
  facts.only_ascii = is_ascii(text);
  tidy(facts.relations);
  tidy(facts.functions);
  tidy(facts.operators);
  tidy(facts.types);
  tidy(facts.fields);
  tidy(facts.value_functions);
  tidy(facts.effects);
  tidy(facts.constructs);
  return facts;
}

}  // namespace switchyard::inline v0::sql
