// The choice of an endpoint for one attempt of an operation. A chooser belongs to a database and decides without
// waiting and without I/O, from what is known at this moment.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/time.hpp>

#include <switchyard/session/operation_state.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace switchyard::inline v0::fleet {

class Endpoint;
class RequestContext;

/// SQLSTATE of statements at a place that tables were moved away from (switchyard/move): nothing has happened.
inline constexpr std::string_view kMovedState = "SYMOV";

enum class RouteAccess : std::uint8_t { read, write };

struct ChoiceInput {
  /// Of the request the operation belongs to; null = none.
  RequestContext* context = nullptr;
  RouteAccess access = RouteAccess::write;
  /// Attempts made before this one, and where the last of them failed; null = nowhere yet.
  unsigned attempt = 0;
  const Endpoint* failed = nullptr;
  /// When the operation was started: what it has waited so far counts from here.
  TimePoint started{};
  TimePoint now{};
};

/// Exactly one of: an endpoint; a wait; a refusal.
struct Choice {
  Endpoint* endpoint = nullptr;
  /// Explains the choice; the text lives as long as the fleet.
  std::string_view reason;
  /// When no session can be opened there, the operation is to be chosen for again at once, instead of waiting for
  /// the server to come back.
  bool has_alternative = false;
  /// More than zero: ask again after this long, or as soon as Route::poke() is called.
  Duration wait{};
  std::optional<Error> refusal;

  [[nodiscard]] static Choice go(Endpoint& endpoint, std::string_view reason) noexcept {
    Choice out;
    out.endpoint = &endpoint;
    out.reason = reason;
    return out;
  }
  [[nodiscard]] static Choice later(Duration wait, std::string_view reason) noexcept {
    Choice out;
    out.wait = wait;
    out.reason = reason;
    return out;
  }
  [[nodiscard]] static Choice refuse(Error error) noexcept {
    Choice out;
    out.refusal = std::move(error);
    return out;
  }
};

/// An operation that has ended at the endpoint a chooser had sent it to.
struct ChoiceEnd {
  RequestContext* context = nullptr;
  RouteAccess access = RouteAccess::write;
  Endpoint& endpoint;
  const session::OperationState& operation;
  TimePoint now{};
};

/// A session that a chooser had sent somebody to was used without operations, and is left now.
struct RelayEnd {
  RequestContext* context = nullptr;
  Endpoint& endpoint;
  TimePoint now{};
};

class Chooser {
 public:
  [[nodiscard]] virtual Choice choose(const ChoiceInput& input) noexcept = 0;
  /// Hears of the end of every operation that it chose for.
  virtual void ended(const ChoiceEnd& end) noexcept { (void)end; }
  /// The server has said that its tables were moved to another database (kMovedState). True: the chooser finds out
  /// where to, and whoever asks again is sent there.
  [[nodiscard]] virtual bool relocated() noexcept { return false; }
  /// The same for sessions whose bytes somebody passes on.
  virtual void relayed(const RelayEnd& end) noexcept { (void)end; }
  /// Such a session was lost: something has happened to its server.
  virtual void relay_lost() noexcept {}
  virtual ~Chooser() = default;
};

/// Always the same endpoint.
class FixedChooser final : public Chooser {
 public:
  FixedChooser(Endpoint& endpoint, std::string reason) : endpoint_(endpoint), reason_(std::move(reason)) {}
  [[nodiscard]] Choice choose(const ChoiceInput& /*input*/) noexcept override {
    return Choice::go(endpoint_, reason_);
  }

 private:
  Endpoint& endpoint_;
  std::string reason_;
};

/// What another database's chooser says, for a reason of its own.
class StandInChooser final : public Chooser {
 public:
  /// `other` outlives this one.
  StandInChooser(Chooser& other, std::string reason) : other_(other), reason_(std::move(reason)) {}
  [[nodiscard]] Choice choose(const ChoiceInput& input) noexcept override {
    Choice choice = other_.choose(input);
    choice.reason = reason_;
    return choice;
  }
  void ended(const ChoiceEnd& end) noexcept override { other_.ended(end); }
  [[nodiscard]] bool relocated() noexcept override { return other_.relocated(); }
  void relayed(const RelayEnd& end) noexcept override { other_.relayed(end); }
  void relay_lost() noexcept override { other_.relay_lost(); }

 private:
  Chooser& other_;
  std::string reason_;
};

/// Never anywhere.
class RefusingChooser final : public Chooser {
 public:
  explicit RefusingChooser(Error error) : error_(std::move(error)) {}
  [[nodiscard]] Choice choose(const ChoiceInput& /*input*/) noexcept override { return Choice::refuse(error_); }
  [[nodiscard]] const Error& error() const noexcept { return error_; }

 private:
  Error error_;
};

}  // namespace switchyard::inline v0::fleet
