// PermitSource: who else must agree before a pool opens a session.
#pragma once

#include <cstdint>
#include <string>

namespace switchyard::inline v0::pool {

/// What a session is wanted for.
enum class PermitPurpose : std::uint8_t {
  caller,   ///< somebody waits for it
  reserve,  ///< to keep `min` open, or as a replacement: others come first
};

/// The limit behind a pool's own: the sessions of a server, which other pools and other processes draw on as well.
/// Calls come from any thread.
class PermitSource {
 public:
  /// One more session may exist. A yes is paid back with give_back(). False: see PermitCounter::look_again().
  [[nodiscard]] virtual bool claim(PermitPurpose purpose) noexcept = 0;
  virtual void give_back() noexcept = 0;
  /// Callers wait, and claim() said no; or that is over.
  virtual void set_wanting(bool wanting) noexcept = 0;
  /// The pool is about to close a session because others need it. False: they don't any more.
  [[nodiscard]] virtual bool take_owed() noexcept = 0;
  /// Why claim() says no: "connection budget of server localhost:5432 (...) is used up: ...".
  [[nodiscard]] virtual std::string describe() const = 0;
  /// What to change.
  [[nodiscard]] virtual std::string advice() const = 0;
  virtual ~PermitSource() = default;
};

}  // namespace switchyard::inline v0::pool
