// SHA-256 of what passes by.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace switchyard::inline v0::backup {

class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  void update(std::string_view bytes);
  /// 64 hexadecimal digits, once.
  [[nodiscard]] std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

[[nodiscard]] std::string sha256_of(std::string_view bytes);

}  // namespace switchyard::inline v0::backup
