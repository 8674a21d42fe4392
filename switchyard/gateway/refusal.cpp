#include <switchyard/gateway/refusal.hpp>
#include <switchyard/protocol/error_fields.hpp>

#include <utility>

namespace switchyard::inline v0::gateway {

ServerFields fatal_fields(std::string_view sqlstate, std::string message, std::string detail) {
  ServerFields fields = protocol::make_fields("FATAL", sqlstate, std::move(message));
  fields.detail = std::move(detail);
  return fields;
}

Error refusal(std::string_view sqlstate, std::string message, std::string detail) {
  return Error(fatal_fields(sqlstate, std::move(message), std::move(detail)), ErrorStage::queued);
}

ServerFields fields_of(const Error& error) {
  if (error.server() != nullptr) return *error.server();
  std::string_view sqlstate = kConnectionFailure;
  switch (error.kind()) {
    case ErrorKind::PoolExhausted: sqlstate = kTooManyConnections; break;
    case ErrorKind::Config:
    case ErrorKind::Usage: sqlstate = kInvalidCatalogName; break;
    case ErrorKind::Closed: sqlstate = kAdminShutdown; break;
    default: break;
  }
  ServerFields fields = fatal_fields(sqlstate, std::string(error.message()));
  fields.hint = error.hint();
  return fields;
}

}  // namespace switchyard::inline v0::gateway
