// Where a configuration value came from. Every value of a FleetConfig carries this, so that `config explain` and
// error messages can name the place to change.
#pragma once

#include <switchyard/base/export.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0 {

/// The layers of configuration, strongest first.
enum class Layer : std::uint8_t {
  code,          ///< options given in code
  command_line,  ///< options of the program
  environment,   ///< an environment variable
  dotenv,        ///< a line of the .env file
  file,          ///< the fleet file
  profile,       ///< nobody said anything: the default of the database's profile
};

/// A family of defaults. It follows the spelling by which a database was configured.
enum class Profile : std::uint8_t {
  generic,   ///< 5/20 connections, acquire 30 s
  wellwon,   ///< POSTGRES_*_DSN and PG_*: minimum and maximum, optional until used
  parafort,  ///< *_DATABASE_URL: a maximum (minimum 0); main stands in for what is not configured
};

[[nodiscard]] SWITCHYARD_API std::string_view to_string(Layer layer) noexcept;
[[nodiscard]] SWITCHYARD_API std::string_view to_string(Profile profile) noexcept;

/// A value that a stronger layer hides.
struct Shadowed {
  std::string place;  ///< as Origin::to_string()
  std::string value;  ///< as text, secrets masked
};

struct SWITCHYARD_API Origin {
  Layer layer = Layer::profile;
  Profile profile = Profile::generic;  ///< of the value, when layer is profile
  std::string place;               ///< "fleet.toml:12:8", "PG_POOL_MAX_SIZE", ".env:3 POSTGRES_DSN", "--set", ...
  std::vector<Shadowed> shadowed;  ///< strongest first

  /// "environment PG_POOL_MAX_SIZE", "fleet.toml:12:8", "default (profile wellwon)".
  [[nodiscard]] std::string to_string() const;
};

/// A value and its origin. Reads like the value itself.
template <class T>
struct Setting {
  T value{};
  Origin origin{};

  Setting() = default;
  Setting(T v) : value(std::move(v)) {}  // NOLINT: implicit, so that configurations can be written in code
  Setting(T v, Origin o) : value(std::move(v)), origin(std::move(o)) {}

  operator const T&() const noexcept { return value; }  // NOLINT: implicit
  const T& operator*() const noexcept { return value; }
  const T* operator->() const noexcept { return &value; }
  /// Did anybody set it, in any layer?
  [[nodiscard]] bool is_set() const noexcept { return origin.layer != Layer::profile; }
};

}  // namespace switchyard::inline v0
