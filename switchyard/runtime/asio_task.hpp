// A Task as an Asio operation, for programs that are built on Asio: callbacks, futures, awaitables.
//
//     auto shard = sy::runtime::make_shard(io.get_executor());
//     int n = co_await sy::async_run(*shard, count_users(fleet), asio::use_awaitable);
//
// The handler is called on its own executor with (std::exception_ptr, T), or (std::exception_ptr) for Task<void>.
// Terminal, partial and total cancellation all drop the task; the handler then gets an Error of kind Cancelled.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <boost/asio/append.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace switchyard::inline v0 {

namespace runtime {

/// What the operation's cancellation slot and its task share.
struct AsioCancellation {
  AsyncEvent requested;
};

[[nodiscard]] inline Task<std::monostate> until_cancelled(std::shared_ptr<AsioCancellation> cancellation) {
  co_await cancellation->requested.wait();
  co_return std::monostate();
}

/// Runs the task against its cancellation and calls the handler. The handler stays alive until then.
template <class T, class Handler>
Task<void> run_for_handler(Task<T> task, std::shared_ptr<AsioCancellation> cancellation, Handler handler) {
  std::exception_ptr failure;
  std::optional<task_detail::Stored<T>> value;
  try {
    auto ended = co_await any(std::move(task), until_cancelled(std::move(cancellation)));
    if (ended.index() == 0) {
      value.emplace(std::get<0>(std::move(ended)));
    } else {
      failure = std::make_exception_ptr(Error(ErrorKind::Cancelled, "the operation was cancelled"));
    }
  } catch (...) {
    failure = std::current_exception();
  }
  const auto executor = boost::asio::get_associated_executor(handler);
  if constexpr (std::is_void_v<T>) {
    boost::asio::dispatch(executor, boost::asio::append(std::move(handler), failure));
  } else {
    boost::asio::dispatch(executor,
                          boost::asio::append(std::move(handler), failure, value ? std::move(*value) : T()));
  }
}

template <class T>
struct AsioSignature {
  using type = void(std::exception_ptr, T);
};
template <>
struct AsioSignature<void> {
  using type = void(std::exception_ptr);
};

}  // namespace runtime

/// Starts the task on the shard, whose loop must be running or about to run on the calling thread. T must be
/// default constructible: handlers get one beside an exception.
template <class T, class CompletionToken>
auto async_run(runtime::Shard& shard, Task<T> task, CompletionToken&& token) {
  return boost::asio::async_initiate<CompletionToken, typename runtime::AsioSignature<T>::type>(
      [&shard](auto handler, Task<T> work) {
        auto cancellation = std::make_shared<runtime::AsioCancellation>();
        if (auto slot = boost::asio::get_associated_cancellation_slot(handler); slot.is_connected()) {
          slot.assign([&shard, cancellation](boost::asio::cancellation_type /*any kind*/) {
            const runtime::Shard::Scope scope(shard);
            cancellation->requested.set();
          });
        }
        const runtime::Shard::Scope scope(shard);
        spawn(runtime::run_for_handler<T>(std::move(work), std::move(cancellation), std::move(handler)));
      },
      token, std::move(task));
}

}  // namespace switchyard::inline v0
