#include <switchyard/fleet/write_unit.hpp>

#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

WriteUnit::Conflict conflict(std::string_view first, std::string_view second, std::string statements) {
  return {.problem = "one transaction would write to two databases, '" + std::string(first) + "' and '" +
                     std::string(second) +
                     "', which can't commit together; last statements: " + std::move(statements),
          .hint =
              "finish one before the other begins, and make the whole a saga with a compensation for each step "
              "(docs/owners.md); fleet.owner_check decides what happens"};
}

}  // namespace

WriteUnit::Handle WriteUnit::begin(std::string_view database) {
  Open& fresh = open_.emplace_back();
  fresh.database = database;
  return std::prev(open_.end());
}

std::optional<WriteUnit::Conflict> WriteUnit::write(std::optional<Handle> transaction, std::string_view database,
                                                    const std::string& statement) {
  const std::string now = std::string(database) + ": " + statement;
  for (const Open& other : open_) {
    if (other.database == database || !other.wrote) continue;
    std::string statements;
    for (const std::string& text : other.statements) statements += other.database + ": " + text + "; ";
    return conflict(other.database, database, statements + now);
  }
  if (transaction && !(*transaction)->other_database.empty()) {
    const Open& mine = **transaction;
    return conflict(mine.other_database, database, mine.other_database + ": " + mine.other_statement + "; " + now);
  }
  for (Open& other : open_) {
    if (other.database == database) continue;
    other.other_database = database;
    other.other_statement = statement;
  }
  if (transaction) {
    Open& mine = **transaction;
    mine.wrote = true;
    mine.statements.push_back(statement);
    if (mine.statements.size() > kRemembered) mine.statements.pop_front();
  }
  return std::nullopt;
}

}  // namespace switchyard::inline v0::fleet
