// The version of a migration as Flyway understands it: numbers of any size between dots or underscores. What ends
// in zeros equals what does not: 1.0 is 1.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>

#include <compare>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::scripts {

class SWITCHYARD_API MigrationVersion {
 public:
  /// "1", "2_1", "20240101.0007". Config error for anything but digits with single '.' or '_' between them.
  [[nodiscard]] static Result<MigrationVersion> parse(std::string_view text);

  /// As the history keeps it: as it was written, with dots.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

  [[nodiscard]] std::strong_ordering operator<=>(const MigrationVersion& other) const noexcept;
  [[nodiscard]] bool operator==(const MigrationVersion& other) const noexcept { return (*this <=> other) == 0; }

 private:
  std::string text_;
  std::vector<std::string> numbers_;  ///< without leading zeros, and without zeros at the end
};

}  // namespace switchyard::inline v0::scripts
