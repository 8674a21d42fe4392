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

std::string column_list(const std::vector<std::string>& columns, std::string_view prefix) {
  std::string out;
  for (const std::string& column : columns) {
    out += (out.empty() ? "" : ", ") + std::string(prefix) + quote_name(column);
  }
  return out;
}

std::vector<std::string> MovePlan::names() const {
  std::vector<std::string> out;
  for (const TablePlan& table : tables) out.push_back(table.qualified());
  return out;
}

std::string MovePlan::name_list() const {
  std::string out;
  for (const TablePlan& table : tables) out += (out.empty() ? "" : ", ") + table.qualified();
  return out;
}

std::string MovePlan::shown(std::string_view separator) const {
  std::string out;
  for (const TablePlan& table : tables) {
    if (!table.is_partition()) out += (out.empty() ? "" : std::string(separator)) + table.shown();
  }
  return out;
}

}  // namespace switchyard::inline v0::move
