// Reads the parse trees that PostgreSQL keeps as text (views in pg_rewrite.ev_action, policies, domain constraints,
// bodies of functions) for the objects they name. pg_depend would be shorter, but does not name built-in ones.
//
// The text is nodeToString()'s of PostgreSQL 15 to 18. A kind of node or a field that is not known is a problem,
// for it may name a function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::sql {

/// OIDs, each list sorted and without repetition.
struct NodeTree {
  std::vector<std::uint32_t> functions;
  std::vector<std::uint32_t> operators;
  std::vector<std::uint32_t> types;  ///< of every value in it
  std::vector<std::uint32_t> relations;
  bool clock = false;   ///< CURRENT_TIMESTAMP and its like
  std::string problem;  ///< not empty: could not be read; the lists are not complete
};

/// Longer texts, and deeper ones, are a problem.
inline constexpr std::size_t kMaxNodeTreeBytes = 4u << 20;
inline constexpr std::size_t kMaxNodeTreeDepth = 1000;

[[nodiscard]] NodeTree scan_node_tree(std::string_view text);

}  // namespace switchyard::inline v0::sql
