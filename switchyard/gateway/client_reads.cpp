#include <switchyard/gateway/client_reads.hpp>

#include <switchyard/fleet/chooser.hpp>
#include <switchyard/fleet/route.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/sql/constant_free_text.hpp>

#include <algorithm>

namespace switchyard::inline v0::gateway {

session::CallContext ClientReads::call() {
  if (!context_) context_ = std::make_shared<fleet::RequestContext>();
  const TimePoint wrote = policy_.strict ? std::max(wrote_, mark_->last()) : wrote_;
  if (wrote > told_) {
    context_->wrote(database_, wrote);
    told_ = wrote;
  }
  return {.deadline = kNever, .label = {}, .request = context_};
}

const DatabaseHandle* ClientReads::handle() {
  session::CallContext current = call();
  if (!handle_) {
    const DatabaseHandle* const plain = sessions_.database();
    if (plain == nullptr) return nullptr;
    handle_ = std::make_unique<DatabaseHandle>(plain->with_context(std::move(current)));
  }
  return handle_.get();
}

/// By the same text as in a lane (wire_statement.cpp), which is one for all values of its constants.
bool ClientReads::may_go(const DatabaseHandle& database, const WireRequest& request) {
  static thread_local sql::ConstantFreeText constants;
  if (request.bind.empty() && constants.assign(request.sql)) {
    return database.replica_may_answer(constants.text(), constants.types());
  }
  return database.replica_may_answer(request.sql, request.types);
}

void ClientReads::wrote() noexcept {
  wrote_ = Clock::now();
  mark_->raise();
}

void ClientReads::left(const ServerLink& link) noexcept {
  if (!context_ || link.session() == nullptr) return;
  fleet::Route& to = link.channel().route();
  if (to.refusal() != nullptr) return;
  to.chooser().relayed({.context = context_.get(), .endpoint = link.channel().endpoint(), .now = runtime::now()});
}

void ClientReads::lost() noexcept {
  const DatabaseHandle* const plain = sessions_.database();
  if (plain != nullptr && plain->plain_route().refusal() == nullptr) plain->plain_route().chooser().relay_lost();
}

}  // namespace switchyard::inline v0::gateway
