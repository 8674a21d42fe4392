#include <switchyard/gateway/access.hpp>

#include <string>
#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

constexpr std::string_view kInvalidAuthorization = "28000";

Error refusal(std::string message) {
  ServerFields fields;
  fields.severity = fields.severity_localized = "FATAL";
  fields.sqlstate = kInvalidAuthorization;
  fields.message = std::move(message);
  return Error(std::move(fields), ErrorStage::queued);
}

}  // namespace

Result<protocol::LoginMethod> decide_login(const GatewaySettings& settings, const AccessQuestion& question,
                                           std::string_view database, std::string_view os_user) {
  const AccessRule* rule = settings.rules.find(question);
  if (rule == nullptr) return refusal(access_denied_message(question, database, false));
  switch (rule->method) {
    case AccessMethod::reject: return refusal(access_denied_message(question, database, true));
    case AccessMethod::trust: return protocol::LoginMethod(protocol::TrustLogin());
    case AccessMethod::peer:
      if (os_user == question.user) return protocol::LoginMethod(protocol::TrustLogin());
      return refusal("Peer authentication failed for user \"" + std::string(question.user) + "\"");
    case AccessMethod::password:
    case AccessMethod::md5:
    case AccessMethod::scram_sha_256:
    case AccessMethod::cert: break;
  }
  return settings.users.login_of(question.user);
}

}  // namespace switchyard::inline v0::gateway
