#include <switchyard/runtime/listen_address.hpp>

#include <gtest/gtest.h>

namespace switchyard::runtime {
namespace {

TEST(ListenAddress, AHostIsWhatIsMeantAndThisMachineAloneWithoutOne) {
  const auto text = [](std::string_view written) {
    const auto parsed = parse_listen_address(written);
    return parsed.ok() ? parsed->front().text() : std::string(parsed.error().message());
  };
  EXPECT_EQ(text("127.0.0.1:8420"), "127.0.0.1:8420");
  EXPECT_EQ(text("[::1]:8420"), "[::1]:8420");
  EXPECT_EQ(text("localhost:1"), "127.0.0.1:1");
  EXPECT_EQ(text(":1"), "127.0.0.1:1");
  EXPECT_EQ(text("1"), "127.0.0.1:1");
  EXPECT_EQ(text("*:1"), "0.0.0.0:1");
  for (const char* wrong : {"", "x", "1:", "db.example:1", "127.0.0.1:65536", "127.0.0.1:-1", "*"}) {
    EXPECT_EQ(text(wrong), "'" + std::string(wrong) + "' is no address to listen on");
  }
}

}  // namespace
}  // namespace switchyard::runtime
