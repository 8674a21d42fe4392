// Where output goes: data to standard output, messages to standard error, colours only where a person looks.
#pragma once

#include "options.hpp"

#include <switchyard/base/error.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::cli {

enum class Tone : std::uint8_t { plain, strong, good, bad, warn, quiet };

/// Adds colour, or not.
class Paint {
 public:
  explicit Paint(bool on) noexcept : on_(on) {}
  [[nodiscard]] std::string operator()(Tone tone, std::string_view text) const;
  [[nodiscard]] bool on() const noexcept { return on_; }

 private:
  bool on_;
};

class Console {
 public:
  explicit Console(const GlobalOptions& options);

  [[nodiscard]] const Paint& out() const noexcept { return out_; }
  [[nodiscard]] const Paint& err() const noexcept { return err_; }
  [[nodiscard]] bool out_is_terminal() const noexcept { return out_terminal_; }
  [[nodiscard]] bool err_is_terminal() const noexcept { return err_terminal_; }
  [[nodiscard]] bool verbose() const noexcept { return verbose_; }
  [[nodiscard]] bool quiet() const noexcept { return quiet_; }
  /// Columns of the terminal; 80 when there is none.
  [[nodiscard]] std::size_t width() const noexcept;

  /// Data, to standard output at once. A reader that has gone ends the program silently.
  void print(std::string_view text) const;
  /// A message for people, unless --quiet.
  void note(std::string_view text) const;
  /// "error: ..." with hint and whatever else the error knows. Never hidden.
  void complain(const Error& error) const;
  void complain(std::string_view message, std::string_view hint = {}) const;
  void warn(std::string_view message) const;

 private:
  bool out_terminal_, err_terminal_, quiet_, verbose_;
  Paint out_, err_;
};

}  // namespace switchyard::cli
