// Finds the ends of PostgreSQL messages in a stream of bytes, as far as the gate needs to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace switchyard::testing {

class MessageCounter {
 public:
  /// What the packet or byte just completed was.
  enum class Ended { nothing, message, startup_packet, encryption_request, encryption_refused, encryption_granted };

  /// The client's stream begins with packets that have no type byte.
  static MessageCounter of_client() {
    MessageCounter counter;
    counter.untyped_ = true;
    return counter;
  }
  static MessageCounter of_server() { return {}; }

  /// The server's next byte answers an encryption request.
  void expect_answer() { answer_expected_ = true; }
  /// Everything from here on is opaque.
  void stop() { opaque_ = true; }

  /// How many of `next` belong to the message at hand, at most all of them.
  [[nodiscard]] std::size_t until_end(std::string_view next) const;
  /// Takes bytes that do not go beyond until_end().
  Ended take(std::string_view bytes);
  [[nodiscard]] std::uint64_t count() const { return count_; }
  /// True between two messages.
  [[nodiscard]] bool at_boundary() const { return have_ == 0 && !opaque_; }

 private:
  [[nodiscard]] std::size_t header_size() const { return untyped_ ? 8 : 5; }
  [[nodiscard]] std::uint64_t body_size(const unsigned char* header) const;

  static constexpr std::size_t kLongestHeader = 8;
  unsigned char header_[kLongestHeader] = {};
  std::uint64_t have_ = 0;  ///< bytes of the message at hand
  std::uint64_t count_ = 0;
  bool untyped_ = false;
  bool answer_expected_ = false;
  bool opaque_ = false;
};

}  // namespace switchyard::testing
