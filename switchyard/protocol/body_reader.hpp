// Reads the body of a message forward. Total: after the first thing that does not fit every read gives zero or
// empty, and failed() stays true; nothing is ever read past the end.
#pragma once

#include <switchyard/base/bytes.hpp>
#include <switchyard/base/error.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::inline v0::protocol {

class BodyReader {
 public:
  explicit BodyReader(ByteView body) noexcept : rest_(body) {}

  /// A big-endian integer.
  template <class T>
  [[nodiscard]] T integer() noexcept {
    if (rest_.size() < sizeof(T)) return fail<T>();
    const T value = base::load_be<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return value;
  }
  [[nodiscard]] std::uint8_t byte() noexcept {
    if (rest_.empty()) return fail<std::uint8_t>();
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  [[nodiscard]] ByteView bytes(std::size_t n) noexcept {
    if (rest_.size() < n) return fail<ByteView>();
    const ByteView taken = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return taken;
  }
  /// Text up to its zero byte, which is consumed.
  [[nodiscard]] std::string_view cstring() noexcept {
    const std::size_t length = rest_.find('\0');
    if (length == ByteView::npos) return fail<std::string_view>();
    const std::string_view text = rest_.substr(0, length);
    rest_.remove_prefix(length + 1);
    return text;
  }
  /// Everything that is left.
  [[nodiscard]] ByteView rest() noexcept {
    const ByteView taken = rest_;
    rest_ = {};
    return taken;
  }
  [[nodiscard]] std::size_t remaining() const noexcept { return rest_.size(); }
  [[nodiscard]] bool failed() const noexcept { return failed_; }
  /// Everything fitted and nothing is left over.
  [[nodiscard]] bool finished() const noexcept { return !failed_ && rest_.empty(); }
  /// For values that fitted but are not allowed.
  void reject() noexcept { (void)fail<int>(); }

 private:
  template <class T>
  T fail() noexcept {
    failed_ = true;
    rest_ = {};
    return T{};
  }
  ByteView rest_;
  bool failed_ = false;
};

/// The Protocol error for a message whose body does not hold what its type demands.
[[nodiscard]] inline Error malformed_message(std::string_view message) {
  std::string text = "malformed ";
  text += message;
  text += " message";
  return Error(ErrorKind::Protocol, std::move(text), ErrorStage::sent).with_session_lost();
}

}  // namespace switchyard::inline v0::protocol
