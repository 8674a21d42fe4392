// The facts of the texts that a process has met: each text is analysed once, in the background.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/sql/parser.hpp>
#include <switchyard/sql/statement_facts.hpp>

#include <cstddef>
#include <memory>
#include <string_view>

namespace switchyard::inline v0::sql {

/// Bounded in entries and bytes: what was not asked for the longest goes first. Texts are compared byte by byte.
/// Any thread may call; each call takes one mutex for a moment, so a shard that meets a text often keeps the
/// pointer.
class SWITCHYARD_API FactsCache {
 public:
  struct Limits {
    std::size_t max_entries = 16 << 10;
    std::size_t max_bytes = 64 << 20;  ///< texts and facts together, about
  };

  explicit FactsCache(Parser& parser) : FactsCache(parser, Limits()) {}
  FactsCache(Parser& parser, Limits limits);
  ~FactsCache();
  FactsCache(const FactsCache&) = delete;
  FactsCache& operator=(const FactsCache&) = delete;

  /// The one of the process, on the parser of the process. Never destroyed.
  [[nodiscard]] static FactsCache& of_process();

  /// Null: not known yet. Texts longer than kMaxAnalysedText are known at once, and are not kept.
  [[nodiscard]] std::shared_ptr<const StatementFacts> find(std::string_view text);

  /// Has it analysed, so that a later find() knows it. A text that is known or waits already costs nothing more;
  /// when too much waits, nothing happens: ask again.
  void want(std::string_view text);

  /// Waits for the parser. For command lines and tests.
  [[nodiscard]] std::shared_ptr<const StatementFacts> analyse_now(std::string_view text);

  struct Usage {
    std::size_t entries = 0;
    std::size_t bytes = 0;
    std::size_t waiting = 0;
  };
  [[nodiscard]] Usage usage() const;

 private:
  struct State;
  Parser& parser_;
  std::shared_ptr<State> state_;  ///< shared with analyses under way
};

}  // namespace switchyard::inline v0::sql
