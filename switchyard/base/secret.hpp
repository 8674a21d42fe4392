// A secret that can't be printed by accident.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace switchyard::inline v0 {

/// Holds a password or key. It has no stream operator and no conversion; reading it is spelled `reveal()`, so that
/// every use can be found. The memory is wiped when it goes.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  Secret(const Secret&) = default;
  Secret(Secret&& other) noexcept : value_(std::move(other.value_)) { other.wipe(); }
  Secret& operator=(const Secret&) = default;
  Secret& operator=(Secret&& other) noexcept {
    wipe();
    value_ = std::move(other.value_);
    other.wipe();
    return *this;
  }
  ~Secret() { wipe(); }

  [[nodiscard]] const std::string& reveal() const noexcept { return value_; }
  [[nodiscard]] bool empty() const noexcept { return value_.empty(); }
  /// What logs and `config explain` show.
  [[nodiscard]] std::string_view masked() const noexcept { return value_.empty() ? "" : "********"; }
  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  void wipe() noexcept {
    volatile char* at = value_.data();
    for (std::size_t i = 0; i < value_.size(); ++i) at[i] = '\0';
    value_.clear();
  }
  std::string value_;
};

}  // namespace switchyard::inline v0
