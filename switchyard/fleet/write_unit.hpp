// A unit of work that must not write to two databases: two transactions that are open at one time can't be made to
// commit together, and a crash between the two leaves half of the work. What happens one after the other is another
// matter (a saga's, if it has to be whole).
//
// Plain bookkeeping, without sessions. A unit is a request, or the function of a transaction and what it awaits.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <string>
#include <string_view>

namespace switchyard::inline v0::fleet {

class WriteUnit {
 public:
  /// Statements that are remembered of each transaction, for the error.
  static constexpr std::size_t kRemembered = 3;

  struct Open {
    std::string database;
    bool wrote = false;
    std::deque<std::string> statements;  ///< the last writes, without values
    /// Written to another database since it was opened.
    std::string other_database;
    std::string other_statement;
  };
  using Handle = std::list<Open>::iterator;

  [[nodiscard]] Handle begin(std::string_view database);
  void end(Handle transaction) noexcept { open_.erase(transaction); }

  struct Conflict {
    std::string problem;
    std::string hint;
  };
  /// `statement` is about to write to `database`, in `transaction` or on its own. Nothing is remembered of one that
  /// may not.
  [[nodiscard]] std::optional<Conflict> write(std::optional<Handle> transaction, std::string_view database,
                                              const std::string& statement);

 private:
  std::list<Open> open_;
};

}  // namespace switchyard::inline v0::fleet
