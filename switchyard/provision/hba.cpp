#include <switchyard/provision/hba.hpp>

#include <algorithm>

namespace switchyard::inline v0::provision {

namespace {

bool names(const std::vector<std::string>& list, std::string_view name, bool groups) {
  return std::ranges::any_of(list, [&](const std::string& one) {
    return one == "all" || one == name || (groups && (one.starts_with('+') || one.starts_with('/'))) ||
           (!groups && (one == "sameuser" || one == "samerole" || one.starts_with('/')));
  });
}

bool everywhere(const HbaRule& rule) {
  return rule.address == "all" || (rule.address == "0.0.0.0" && rule.netmask == "0.0.0.0") ||
         (rule.address == "::" && rule.netmask == "::");
}

}  // namespace

std::string hba_with_block(std::string_view text, std::string_view application,
                           const std::vector<std::string>& lines) {
  const std::string begin = "# switchyard " + std::string(application) + ": refused without TLS\n";
  const std::string end = "# switchyard " + std::string(application) + ": end\n";
  std::string rest(text);
  if (const std::size_t from = rest.find(begin); from != std::string::npos) {
    const std::size_t to = rest.find(end, from);
    if (to != std::string::npos) rest.erase(from, to + end.size() - from);
  }
  if (lines.empty()) return rest;
  std::string block = begin;
  for (const std::string& line : lines) block += line + "\n";
  return block + end + rest;
}

bool is_wide(const HbaRule& rule) {
  if (everywhere(rule)) return true;
  if (rule.netmask.empty()) return false;
  if (rule.address.find(':') != std::string::npos) {
    return std::ranges::count(rule.netmask, 'f') < 12;  // shorter than /48
  }
  return !rule.netmask.starts_with("255.255.");
}

bool is_local(const HbaRule& rule) {
  return rule.address.starts_with("127.") || rule.address == "::1" || rule.address == "localhost" ||
         rule.address == "samehost";
}

const HbaRule* plain_text_rule(const std::vector<HbaRule>& rules, std::string_view database,
                               std::string_view role) {
  for (const HbaRule& rule : rules) {
    const bool plain = rule.type == "host" || rule.type == "hostnossl" || rule.type == "hostnogssenc";
    if (!plain || is_local(rule)) continue;
    const bool rejects = rule.method == "reject";
    if (!names(rule.databases, database, rejects ? false : true) || !names(rule.users, role, !rejects)) continue;
    if (!rejects) return &rule;
    if (everywhere(rule)) return nullptr;
  }
  return nullptr;
}

}  // namespace switchyard::inline v0::provision
