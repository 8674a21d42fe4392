#include <switchyard/base/error.hpp>

#include <array>
#include <utility>

namespace switchyard::inline v0 {

struct Error::Details {
  ErrorKind kind;
  ErrorStage stage;
  bool session_alive = true;
  std::string message;
  std::string hint;
  std::string database;
  std::string route;
  std::string what;
  std::unique_ptr<const ServerFields> server;

  Details(ErrorKind k, ErrorStage s) : kind(k), stage(s) {}
  Details(const Details& other)
      : kind(other.kind),
        stage(other.stage),
        session_alive(other.session_alive),
        message(other.message),
        hint(other.hint),
        database(other.database),
        route(other.route),
        server(other.server ? std::make_unique<const ServerFields>(*other.server) : nullptr) {}

  void compose() {
    what.clear();
    // A message that names its database itself is not told twice.
    const std::string named = "database '" + database + "'";
    if (!database.empty() && message.find(named) == std::string::npos) what += named + ": ";
    what += message;
    if (server) {
      if (!server->detail.empty()) what += "; detail: " + server->detail;
      if (hint.empty() && !server->hint.empty()) what += " (hint: " + server->hint + ")";
    }
    if (!hint.empty()) what += " (hint: " + hint + ")";
    if (!route.empty()) what += " [" + route + "]";
  }
};

std::string_view to_string(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::Config: return "Config";
    case ErrorKind::Usage: return "Usage";
    case ErrorKind::Unavailable: return "Unavailable";
    case ErrorKind::PoolExhausted: return "PoolExhausted";
    case ErrorKind::Deadline: return "Deadline";
    case ErrorKind::Cancelled: return "Cancelled";
    case ErrorKind::Server: return "Server";
    case ErrorKind::Protocol: return "Protocol";
    case ErrorKind::Mapping: return "Mapping";
    case ErrorKind::InDoubt: return "InDoubt";
    case ErrorKind::Closed: return "Closed";
  }
  return "Unknown";
}

std::string_view to_string(ErrorStage stage) noexcept {
  switch (stage) {
    case ErrorStage::queued: return "queued";
    case ErrorStage::connecting: return "connecting";
    case ErrorStage::sent: return "sent";
    case ErrorStage::commit_sent: return "commit_sent";
  }
  return "unknown";
}

Error::Error(ErrorKind kind, std::string message, ErrorStage stage) {
  auto details = std::make_shared<Details>(kind, stage);
  details->message = std::move(message);
  details->compose();
  details_ = std::move(details);
}

Error::Error(ServerFields fields, ErrorStage stage) {
  auto details = std::make_shared<Details>(ErrorKind::Server, stage);
  details->message = fields.severity + " " + fields.sqlstate + ": " + fields.message;
  // FATAL and PANIC end the session (manual chapter 20.8, "Severity").
  details->session_alive = fields.severity != "FATAL" && fields.severity != "PANIC";
  details->server = std::make_unique<const ServerFields>(std::move(fields));
  details->compose();
  details_ = std::move(details);
}

Error::Error(std::shared_ptr<const Details> details) noexcept : details_(std::move(details)) {}
// A moved-from Error keeps its details: every accessor stays valid on it.
Error::Error(const Error&) noexcept = default;
Error::Error(Error&& other) noexcept : details_(other.details_) {}
Error& Error::operator=(const Error&) noexcept = default;
Error& Error::operator=(Error&& other) noexcept {
  details_ = other.details_;
  return *this;
}
Error::~Error() = default;

ErrorKind Error::kind() const noexcept { return details_->kind; }
ErrorStage Error::stage() const noexcept { return details_->stage; }
std::string_view Error::message() const noexcept { return details_->message; }
std::string_view Error::hint() const noexcept {
  if (details_->hint.empty() && details_->server) return details_->server->hint;
  return details_->hint;
}
std::string_view Error::database() const noexcept { return details_->database; }
std::string_view Error::route() const noexcept { return details_->route; }
const ServerFields* Error::server() const noexcept { return details_->server.get(); }
std::string_view Error::sqlstate() const noexcept {
  return details_->server ? std::string_view(details_->server->sqlstate) : std::string_view();
}
bool Error::session_alive() const noexcept { return details_->session_alive; }
const char* Error::what() const noexcept { return details_->what.c_str(); }

bool Error::retryable() const noexcept {
  switch (details_->kind) {
    case ErrorKind::Unavailable:
      // Also a session that was lost before COMMIT: rolled back. What was lost with its COMMIT is InDoubt.
      return details_->stage != ErrorStage::commit_sent;
    case ErrorKind::PoolExhausted:
      // What was sent without a COMMIT was rolled back with its session; where that is not so the kind is InDoubt.
      return details_->stage != ErrorStage::commit_sent;
    case ErrorKind::Server: {
      // The server said so on a healthy session, hence nothing happened.
      static constexpr std::array<std::string_view, 6> kNothingHappened{"40001", "40P01", "53300",
                                                                        "53400", "55P03", "57P03"};
      for (std::string_view state : kNothingHappened) {
        if (sqlstate() == state) return true;
      }
      return false;
    }
    default: return false;
  }
}

Error Error::with_hint(std::string hint) const {
  auto copy = std::make_shared<Details>(*details_);
  copy->hint = std::move(hint);
  copy->compose();
  return Error(std::move(copy));
}

Error Error::with_database(std::string database) const {
  auto copy = std::make_shared<Details>(*details_);
  copy->database = std::move(database);
  copy->compose();
  return Error(std::move(copy));
}

Error Error::with_route(std::string route) const {
  auto copy = std::make_shared<Details>(*details_);
  copy->route = std::move(route);
  copy->compose();
  return Error(std::move(copy));
}

Error Error::with_stage(ErrorStage stage) const {
  auto copy = std::make_shared<Details>(*details_);
  copy->stage = stage;
  copy->compose();
  return Error(std::move(copy));
}

Error Error::with_kind(ErrorKind kind) const {
  auto copy = std::make_shared<Details>(*details_);
  copy->kind = kind;
  copy->compose();
  return Error(std::move(copy));
}

Error Error::with_session_lost() const {
  auto copy = std::make_shared<Details>(*details_);
  copy->session_alive = false;
  copy->compose();
  return Error(std::move(copy));
}

Error Error::with_context(std::string_view context) const {
  auto copy = std::make_shared<Details>(*details_);
  copy->message = std::string(context) + ": " + copy->message;
  copy->compose();
  return Error(std::move(copy));
}

}  // namespace switchyard::inline v0
