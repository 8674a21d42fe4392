#include <switchyard/move/table_plan.hpp>

namespace switchyard::inline v0::move {

std::string literal(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  return (text.find('\\') == std::string_view::npos ? out : "E" + out) + "'";
}

}  // namespace switchyard::inline v0::move
