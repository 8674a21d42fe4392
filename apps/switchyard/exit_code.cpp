#include "exit_code.hpp"

namespace switchyard::cli {

ExitCode exit_code_of(const Error& error) noexcept {
  // SQLSTATE class 28: invalid authorization specification, invalid password.
  if (error.sqlstate().starts_with("28")) return ExitCode::authentication;
  switch (error.kind()) {
    case ErrorKind::Config:
    case ErrorKind::Usage: return ExitCode::usage;
    case ErrorKind::Unavailable:
    case ErrorKind::PoolExhausted: return ExitCode::unreachable;
    case ErrorKind::Deadline:
      return error.stage() == ErrorStage::connecting ? ExitCode::unreachable : ExitCode::failed;
    case ErrorKind::Cancelled: return ExitCode::interrupted;
    default: return ExitCode::failed;
  }
}

}  // namespace switchyard::cli
