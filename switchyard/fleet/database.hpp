// Database<"name">: a logical database as code names it. The name lives in the type, so a malformed one does not
// compile, and every name that a program uses is known when the fleet opens.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/fixed_string.hpp>
#include <switchyard/config/name_rule.hpp>

#include <string_view>
#include <vector>

namespace switchyard::inline v0 {

namespace fleet {

/// One used name. Nodes are static objects that link themselves into a list before main() starts.
class SWITCHYARD_API UsedName {
 public:
  explicit UsedName(std::string_view name) noexcept;
  UsedName(const UsedName&) = delete;
  UsedName& operator=(const UsedName&) = delete;
  [[nodiscard]] std::string_view name() const noexcept { return name_; }

 private:
  friend SWITCHYARD_API std::vector<std::string_view> used_names();
  std::string_view name_;
  const UsedName* next_;
};

/// Every name used by `fleet[...]` anywhere in the program, each once.
[[nodiscard]] SWITCHYARD_API std::vector<std::string_view> used_names();

}  // namespace fleet

/// A logical name: `inline constexpr sy::Database<"main"> main_db;`, then `fleet[main_db]`.
template <FixedString Name>
struct Database {
  static_assert(is_usable_name(Name.view()),
                "a database name is lower case: a letter, then letters, digits and underscores, at most 63");
  [[nodiscard]] static constexpr std::string_view name() noexcept { return Name.view(); }
  /// Mentioning it registers the name; `fleet[...]` does.
  [[nodiscard]] static std::string_view use() noexcept { return used_.name(); }

 private:
  static inline const fleet::UsedName used_{Name.view()};
};

}  // namespace switchyard::inline v0
