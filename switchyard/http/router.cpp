#include <switchyard/http/router.hpp>

#include <switchyard/base/suggest.hpp>
#include <switchyard/http/problem.hpp>

#include <algorithm>
#include <utility>

namespace switchyard::inline v0::http {

namespace {

constexpr const char* kAllowed = "GET, HEAD, OPTIONS";
constexpr const char* kAllowedWithPost = "GET, HEAD, OPTIONS, POST";

HttpResponse options(const char* allowed = kAllowed) {
  HttpResponse response;
  response.status = 204;
  response.headers.emplace_back("Allow", allowed);
  return response;
}

HttpResponse method_not_allowed(const HttpRequest& request, bool takes_post) {
  Problem problem;
  problem.status = 405;
  problem.detail = request.method + " is not allowed here";
  problem.hint = takes_post ? "use GET or POST" : "this path only reads: use GET";
  problem.instance = request.target;
  problem.trace_id = request.trace_id;
  HttpResponse response = to_response(problem);
  response.headers.emplace_back("Allow", takes_post ? kAllowedWithPost : kAllowed);
  return response;
}

}  // namespace

void Router::add(std::string path, std::string summary, std::unique_ptr<Route> route) {
  entries_.push_back({std::move(path), std::move(summary), std::move(route)});
}

Task<HttpResponse> Router::handle(const HttpRequest& request) {
  if (request.path == "*" && request.method == "OPTIONS") co_return options();
  const auto entry = std::ranges::find(entries_, request.path, &Entry::path);
  if (entry == entries_.end()) co_return not_found(request);
  const bool takes_post = entry->route->takes_post();
  if (request.method == "OPTIONS") co_return options(takes_post ? kAllowedWithPost : kAllowed);
  if (request.method == "POST" && takes_post) co_return co_await entry->route->post(request);
  if (request.method != "GET" && request.method != "HEAD") co_return method_not_allowed(request, takes_post);
  co_return co_await entry->route->get(request);
}

HttpResponse Router::not_found(const HttpRequest& request) const {
  std::vector<std::string_view> paths;
  for (const Entry& entry : entries_) paths.emplace_back(entry.path);
  Problem problem;
  problem.status = 404;
  problem.detail = "there is nothing at this path";
  problem.hint = did_you_mean(request.path, paths);
  if (problem.hint.empty()) problem.hint = "GET / lists every route";
  problem.instance = request.target;
  problem.trace_id = request.trace_id;
  return to_response(problem);
}

}  // namespace switchyard::inline v0::http
