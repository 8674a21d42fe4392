// Any text as a parse tree of the server: the scanner ends, and what it could not read it says so about.
#include <switchyard/sql/node_tree.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace switchyard::sql;

constexpr auto kPieces = std::to_array<std::string_view>({
    "{FUNCEXPR :funcid 870 ",
    "{QUERY :commandType 1 ",
    "{OPEXPR :opno 98 ",
    "{CONST :constvalue 4 [ 1 0 0 0 ] ",
    "{ALIAS :aliasname ",
    "{RANGETBLENTRY :relid 16384 ",
    ":args (",
    ":args <> ",
    ":funccoltypes (o 23 25) ",
    ":selectedCols (b 8) ",
    ")",
    "}",
    "(",
    "{",
    "<> ",
    "\\ ",
    ":x ",
    "0 ",
    "4294967296 ",
    "\"a b\" ",
});

void check(std::string_view text) {
  const NodeTree tree = scan_node_tree(text);
  for (const auto* list : {&tree.functions, &tree.operators, &tree.types, &tree.relations}) {
    if (!std::ranges::is_sorted(*list) || std::ranges::find(*list, 0u) != list->end()) std::abort();
  }
  // What ends early is never taken for the whole.
  if (tree.problem.empty() && std::ranges::count(text, '\\') == 0 &&
      std::ranges::count(text, '{') != std::ranges::count(text, '}')) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);  // NOLINT: bytes
  check(text);
  std::string pieces;
  for (const char byte : text) pieces += kPieces[static_cast<unsigned char>(byte) % kPieces.size()];
  check(pieces);
  return 0;
}
