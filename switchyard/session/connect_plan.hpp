// Everything needed to open sessions of one endpoint and access: made once, shared by all of them.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/config/connection_options.hpp>
#include <switchyard/session/session.hpp>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace switchyard::inline v0::session {

struct ConnectPlan {
  ConnectionOptions options;
  SessionSettings settings;
  /// Startup parameters beside those in `options`: default_transaction_read_only, statement_timeout.
  std::vector<std::pair<std::string, std::string>> parameters;
};

}  // namespace switchyard::inline v0::session
