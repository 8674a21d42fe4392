// Values before they have a type, by layer. Internal.
#pragma once

#include <switchyard/config/key_table.hpp>
#include <switchyard/config/origin.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::config {

/// What somebody wrote for one key, in one layer.
struct RawValue {
  enum class Form : std::uint8_t { text, seconds, integer, real, flag, list };
  Form form = Form::text;
  std::string text;  ///< text and seconds; else for messages
  std::int64_t integer = 0;
  double real = 0;
  bool flag = false;
  std::vector<std::string> list;

  Layer layer = Layer::file;
  std::string place;     ///< "fleet.toml:12:8", "PG_POOL_MAX_SIZE", ".env:3 POSTGRES_DSN"
  std::string variable;  ///< the environment variable it came from directly, if any

  // Interpolation of ${...}.
  std::vector<std::string> references;  ///< variables mentioned
  std::vector<std::string> unset;       ///< of these, the ones that are not set: the value is absent then
  std::string file;                     ///< the file whose contents are the whole value, if one is
  bool interpolated = false;            ///< the text may hold a secret and is not quoted in messages

  [[nodiscard]] bool absent() const noexcept { return !unset.empty(); }
  /// For messages and `config explain`: as written in the fleet file, secrets masked.
  [[nodiscard]] std::string display(ValueKind kind, std::string_view path) const;
};

/// All values of one load: path -> what each layer says, strongest first.
class Layers {
 public:
  /// Nothing is lost: several values of one layer stay side by side for the caller to judge.
  void add(std::string path, RawValue value);
  /// Strongest first; empty if nobody said anything.
  [[nodiscard]] const std::vector<RawValue>& at(std::string_view path) const noexcept;
  /// The strongest value that is not absent; null if none.
  [[nodiscard]] const RawValue* effective(std::string_view path) const noexcept;
  [[nodiscard]] const std::map<std::string, std::vector<RawValue>, std::less<>>& all() const noexcept {
    return values_;
  }

 private:
  std::map<std::string, std::vector<RawValue>, std::less<>> values_;
};

}  // namespace switchyard::inline v0::config
