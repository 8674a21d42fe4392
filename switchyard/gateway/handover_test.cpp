#include <switchyard/gateway/client_machine.hpp>
#include <switchyard/gateway/handover_message.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace switchyard::gateway {
namespace {

TravellingClient traveller() {
  TravellingClient client;
  client.id = 0x1234567;
  client.secret = std::string("\0\1\2\3", 4);
  client.user = "app";
  client.database = "main_replica";
  client.application_name = "it";
  client.looked_up = true;
  client.role.emplace().password = Secret(std::string("hunter2"));
  client.role->keys.emplace().client.fill(7);
  client.memory.startup = {{"work_mem", "8MB"}};
  client.memory.settings = {{"search_path", "a, b"}, {"work_mem", "9MB"}};
  client.memory.parameters = {{"TimeZone", "UTC"}};
  client.memory.login_parameters = {{"TimeZone", "Europe/Vienna"}};
  client.memory.statements = {{"s1", std::string("SELECT 1\0\0\0", 11), {}},
                              {"s2", std::string("SELECT $1\0\0\1\0\0\0\x17", 17), {{"DateStyle", "SQL"}}}};
  client.memory.unnamed = {"", std::string("SELECT 2\0\0\0", 11), {}};
  client.memory.unnamed_interned = true;
  client.received = std::string("Q\0\0", 3);
  client.unsent = "Z";
  return client;
}

TEST(HandoverMessages, ComeBackAsTheyWere) {
  const HandoverMessage messages[] = {HandoverHello{.version = 7, .ids = {1, 2, 3}},
                                      HandoverDoor(),
                                      HandoverReady(),
                                      traveller(),
                                      TravellingClient(),
                                      HandoverDone(),
                                      HandoverCancel{.process_id = -1, .secret = "secret"}};
  for (const HandoverMessage& message : messages) {
    const std::string bytes = encode_handover(message);
    const auto again = decode_handover(bytes);
    ASSERT_TRUE(again.ok()) << message.index();
    EXPECT_EQ(*again, message);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(decode_handover(std::string_view(bytes).substr(0, size)).ok()) << message.index() << " " << size;
    }
    EXPECT_FALSE(decode_handover(bytes + "x").ok());
  }
}

TEST(HandoverMessages, AnyBytesAreDecodedOrRefused) {
  std::mt19937 random(1);  // NOLINT: the same each time
  const std::string sound = encode_handover(traveller());
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = sound;
    for (int i = 0; i < 3; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    const auto message = decode_handover(bytes);
    if (message.ok()) EXPECT_EQ(encode_handover(*message).size(), bytes.size());
  }
}

TEST(ClientMemoryTest, AMachineThatRecallsItRemembersTheSame) {
  Interns interns("p");
  SettingSets sets;
  base::WriteBuffer out;
  ClientMachine first({interns, sets, {}}, out, 7, 1 << 20);
  EXPECT_FALSE(first.can_travel()) << "it has not begun";
  ClientMemory memory = traveller().memory;
  first.recall(memory);
  EXPECT_TRUE(first.can_travel());
  ClientMemory again = first.memory();
  std::ranges::sort(again.statements, {}, &ClientMemory::Statement::name);
  EXPECT_EQ(again, memory);
  Interns other("q");
  SettingSets other_sets;
  ClientMachine second({other, other_sets, {}}, out, 7, 1 << 20);
  second.recall(again);
  EXPECT_EQ(second.prepared_statements(), 2U);
  ClientMemory last = second.memory();
  std::ranges::sort(last.statements, {}, &ClientMemory::Statement::name);
  EXPECT_EQ(last, memory);
}

}  // namespace
}  // namespace switchyard::gateway
