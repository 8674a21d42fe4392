// Result<T>: a value or an Error. The C++20 stand-in for std::expected in public headers (libstdc++ 12 offers
// that to C++23 only).
#pragma once

#include <switchyard/base/assert.hpp>
#include <switchyard/base/error.hpp>

#include <type_traits>
#include <utility>
#include <variant>

namespace switchyard::inline v0 {

/// Either a T or an Error. Reading the wrong one is a bug of the caller (asserted).
template <class T = void>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  template <class U = T>
    requires(std::is_constructible_v<T, U &&> && !std::is_same_v<std::remove_cvref_t<U>, Result> &&
             !std::is_same_v<std::remove_cvref_t<U>, Error>)
  Result(U&& value) : state_(std::in_place_index<0>, std::forward<U>(value)) {}       // NOLINT: implicit
  Result(Error error) noexcept : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  [[nodiscard]] bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  [[nodiscard]] T& value() & noexcept {
    SY_ASSERT(ok());
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] const T& value() const& noexcept {
    SY_ASSERT(ok());
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] T&& value() && noexcept {
    SY_ASSERT(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  [[nodiscard]] T& operator*() & noexcept { return value(); }
  [[nodiscard]] const T& operator*() const& noexcept { return value(); }
  [[nodiscard]] T&& operator*() && noexcept { return std::move(*this).value(); }
  [[nodiscard]] T* operator->() noexcept { return &value(); }
  [[nodiscard]] const T* operator->() const noexcept { return &value(); }

  [[nodiscard]] const Error& error() const noexcept {
    SY_ASSERT(!ok());
    return *std::get_if<1>(&state_);
  }

  /// The value, or throws the Error.
  T&& value_or_throw() && {
    if (!ok()) throw error();
    return std::move(*this).value();
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() noexcept = default;
  Result(Error error) noexcept : error_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  [[nodiscard]] bool ok() const noexcept { return error_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }
  [[nodiscard]] const Error& error() const noexcept {
    SY_ASSERT(!ok());
    return *std::get_if<1>(&error_);
  }
  void value_or_throw() && {
    if (!ok()) throw error();
  }

 private:
  std::variant<std::monostate, Error> error_;
};

}  // namespace switchyard::inline v0

/// Evaluates a Result<void> expression and returns its error from the enclosing function.
#define SY_TRY(expression)                                                                    \
  do {                                                                                        \
    if (auto sy_try_result = (expression); !sy_try_result.ok()) return sy_try_result.error(); \
  } while (false)
