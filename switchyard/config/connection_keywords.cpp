#include <switchyard/config/connection_keywords.hpp>

#include <switchyard/config/connection_string.hpp>

#include <array>

namespace switchyard::inline v0::config {
namespace {

constexpr std::array kSpecs{
    ConnectionKeywordSpec{"service", "PGSERVICE"},
    ConnectionKeywordSpec{"servicefile", "PGSERVICEFILE"},
    ConnectionKeywordSpec{"user", "PGUSER"},
    ConnectionKeywordSpec{"password", "PGPASSWORD", Exposure::secret},
    ConnectionKeywordSpec{"passfile", "PGPASSFILE"},
    ConnectionKeywordSpec{"channel_binding", "PGCHANNELBINDING"},
    ConnectionKeywordSpec{"connect_timeout", "PGCONNECT_TIMEOUT"},
    ConnectionKeywordSpec{"dbname", "PGDATABASE"},
    ConnectionKeywordSpec{"host", "PGHOST"},
    ConnectionKeywordSpec{"hostaddr", "PGHOSTADDR"},
    ConnectionKeywordSpec{"port", "PGPORT"},
    ConnectionKeywordSpec{"client_encoding", "PGCLIENTENCODING"},
    ConnectionKeywordSpec{"options", "PGOPTIONS"},
    ConnectionKeywordSpec{"application_name", "PGAPPNAME"},
    ConnectionKeywordSpec{"fallback_application_name", ""},
    ConnectionKeywordSpec{"keepalives", ""},
    ConnectionKeywordSpec{"keepalives_idle", ""},
    ConnectionKeywordSpec{"keepalives_interval", ""},
    ConnectionKeywordSpec{"keepalives_count", ""},
    ConnectionKeywordSpec{"tcp_user_timeout", ""},
    ConnectionKeywordSpec{"sslmode", "PGSSLMODE"},
    ConnectionKeywordSpec{"sslnegotiation", "PGSSLNEGOTIATION"},
    ConnectionKeywordSpec{"sslcompression", "PGSSLCOMPRESSION"},
    ConnectionKeywordSpec{"sslcert", "PGSSLCERT"},
    ConnectionKeywordSpec{"sslkey", "PGSSLKEY"},
    ConnectionKeywordSpec{"sslcertmode", "PGSSLCERTMODE"},
    ConnectionKeywordSpec{"sslpassword", "", Exposure::secret},
    ConnectionKeywordSpec{"sslrootcert", "PGSSLROOTCERT"},
    ConnectionKeywordSpec{"sslcrl", "PGSSLCRL"},
    ConnectionKeywordSpec{"sslcrldir", "PGSSLCRLDIR"},
    ConnectionKeywordSpec{"sslsni", "PGSSLSNI"},
    ConnectionKeywordSpec{"requirepeer", "PGREQUIREPEER"},
    ConnectionKeywordSpec{"require_auth", "PGREQUIREAUTH"},
    ConnectionKeywordSpec{"min_protocol_version", "PGMINPROTOCOLVERSION"},
    ConnectionKeywordSpec{"max_protocol_version", "PGMAXPROTOCOLVERSION"},
    ConnectionKeywordSpec{"ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"},
    ConnectionKeywordSpec{"ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"},
    ConnectionKeywordSpec{"gssencmode", "PGGSSENCMODE"},
    ConnectionKeywordSpec{"krbsrvname", "PGKRBSRVNAME"},
    ConnectionKeywordSpec{"gsslib", "PGGSSLIB"},
    ConnectionKeywordSpec{"gssdelegation", "PGGSSDELEGATION"},
    ConnectionKeywordSpec{"replication", ""},
    ConnectionKeywordSpec{"target_session_attrs", "PGTARGETSESSIONATTRS"},
    ConnectionKeywordSpec{"load_balance_hosts", "PGLOADBALANCEHOSTS"},
    ConnectionKeywordSpec{"scram_client_key", "", Exposure::secret},
    ConnectionKeywordSpec{"scram_server_key", "", Exposure::secret},
    ConnectionKeywordSpec{"oauth_issuer", ""},
    ConnectionKeywordSpec{"oauth_client_id", ""},
    ConnectionKeywordSpec{"oauth_client_secret", "", Exposure::secret},
    ConnectionKeywordSpec{"oauth_scope", ""},
    ConnectionKeywordSpec{"sslkeylogfile", ""},
};

}  // namespace

std::span<const ConnectionKeywordSpec> connection_keyword_specs() noexcept { return kSpecs; }

const std::vector<std::string_view>& connection_keywords() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> out;
    for (const ConnectionKeywordSpec& spec : kSpecs) out.push_back(spec.keyword);
    return out;
  }();
  return names;
}

bool is_secret_keyword(std::string_view keyword) noexcept {
  for (const ConnectionKeywordSpec& spec : kSpecs) {
    if (spec.keyword == keyword) return spec.exposure == Exposure::secret;
  }
  return false;
}

}  // namespace switchyard::inline v0::config
