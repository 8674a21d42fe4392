// Which route answers a path. Every route has a GET; HEAD follows from it, OPTIONS and refusals are answered here.
// What changes something is a POST, for the few routes that take one.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/http/message.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::http {

/// The answer to one path.
class Route {
 public:
  virtual ~Route() = default;
  virtual Task<HttpResponse> get(const HttpRequest& request) = 0;
  [[nodiscard]] virtual bool takes_post() const noexcept { return false; }
  /// Called only if takes_post().
  virtual Task<HttpResponse> post(const HttpRequest& request) { co_return co_await get(request); }
};

class SWITCHYARD_API Router final : public HttpHandler {
 public:
  struct Entry {
    std::string path;
    std::string summary;  ///< a few words for people
    std::unique_ptr<Route> route;
  };

  void add(std::string path, std::string summary, std::unique_ptr<Route> route);
  [[nodiscard]] const std::vector<Entry>& entries() const noexcept { return entries_; }

  /// Unknown path: 404 with "did you mean"; other methods: 405 with Allow.
  Task<HttpResponse> handle(const HttpRequest& request) override;

 private:
  [[nodiscard]] HttpResponse not_found(const HttpRequest& request) const;

  std::vector<Entry> entries_;
};

}  // namespace switchyard::inline v0::http
