// A client's machine, message by message.
#include <switchyard/gateway/client_machine.hpp>
#include <switchyard/protocol/messages/query.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <new>
#include <optional>
#include <string_view>

namespace switchyard::gateway {
namespace {

TEST(ClientMachineTest, WithoutMemoryItsClientEndsAndNobodyElse) {
  Interns interns("sw_test_");
  SettingSets sets;
  const SharedStatements::Refusal no_memory = [](std::string_view) -> std::optional<ServerFields> {
    throw std::bad_alloc();
  };
  base::WriteBuffer out;
  base::WriteBuffer to_server;
  SessionState session;
  ClientMachine machine(
      {.interns = interns, .sets = sets, .harmless = {}, .max_prepared = 2, .refuses = &no_memory}, out, 7,
      1 << 20);
  machine.begin(nullptr, nullptr);
  machine.attach(session, to_server, 1);
  base::WriteBuffer query;
  ASSERT_TRUE(encode(query, protocol::Query{"SELECT 1"}));
  base::ReadBuffer in;
  std::memcpy(in.prepare(query.size()), query.view().data(), query.size());
  in.commit(query.size());
  machine.on_client(in);
  EXPECT_EQ(machine.state(), ClientMachine::State::no_memory);
  EXPECT_TRUE(out.empty());
}

}  // namespace
}  // namespace switchyard::gateway
