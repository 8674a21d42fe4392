#include <switchyard/http/problem.hpp>

#include <switchyard/http/json_writer.hpp>

namespace switchyard::inline v0::http {

namespace {

unsigned status_of(const Error& error) noexcept {
  switch (error.kind()) {
    case ErrorKind::Unavailable:
    case ErrorKind::PoolExhausted:
    case ErrorKind::Closed: return 503;
    case ErrorKind::Deadline: return 504;
    case ErrorKind::Protocol: return 502;
    default: return error.retryable() ? 503 : 500;
  }
}

}  // namespace

HttpResponse to_response(const Problem& problem) {
  JsonWriter json;
  json.begin_object()
      .member("type", "about:blank")
      .member("title", reason_phrase(problem.status))
      .member("status", problem.status)
      .member_if("detail", problem.detail)
      .member_if("hint", problem.hint)
      .member_if("sqlstate", problem.sqlstate)
      .member_if("database", problem.database)
      .member("retryable", problem.retryable)
      .member_if("instance", problem.instance)
      .member_if("trace_id", problem.trace_id)
      .end_object();
  HttpResponse response = HttpResponse::json(problem.status, json.take());
  response.content_type = "application/problem+json";
  return response;
}

Problem problem_of(const Error& error) {
  Problem problem;
  problem.status = status_of(error);
  problem.detail = error.message();
  problem.hint = error.hint();
  problem.sqlstate = error.sqlstate();
  problem.database = error.database();
  problem.retryable = error.retryable();
  return problem;
}

}  // namespace switchyard::inline v0::http
