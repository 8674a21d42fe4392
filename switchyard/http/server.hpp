// Accepts clients on one address and gives their requests to a handler. Belongs to the shard it is opened on.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/http/limits.hpp>
#include <switchyard/http/message.hpp>
#include <switchyard/runtime/listener.hpp>
#include <switchyard/runtime/task.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace switchyard::inline v0::http {

class SWITCHYARD_API HttpServer {
 public:
  /// Serves what arrives at `listener`, from the next turn on. The handler outlives the server.
  HttpServer(std::unique_ptr<runtime::Listener> listener, HttpHandler& handler, HttpLimits limits = {});
  /// Closes every connection at once and drops what is being answered.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// "127.0.0.1:8420", with the real port.
  [[nodiscard]] std::string address() const;
  [[nodiscard]] std::size_t connections() const noexcept;
  [[nodiscard]] std::uint64_t requests() const noexcept;

  /// Accepts nobody any more, closes idle connections and waits for the answers under way, at most `timeout`.
  Task<void> close(Duration timeout);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace switchyard::inline v0::http
