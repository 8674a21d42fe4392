#include <switchyard/session/result_states.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace switchyard::session {
namespace {

TEST(OperationState, KeepsAReasonThatMayBeGoneBeforeItHasEnded) {
  const auto operation = AllRowsState<std::int32_t>::create();
  auto reason = std::make_unique<std::string>("leased: the function public.count_visits may do anything");
  operation->copy_lane_reason(*reason);
  reason->assign(reason->size(), 'x');
  reason.reset();
  EXPECT_EQ(operation->lane_reason, "leased: the function public.count_visits may do anything");
}

}  // namespace
}  // namespace switchyard::session
