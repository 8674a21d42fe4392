#include <switchyard/backup/physical_proof.hpp>

#include <switchyard/backup/backup_file.hpp>
#include <switchyard/backup/fingerprint.hpp>
#include <switchyard/backup/json_fields.hpp>
#include <switchyard/backup/moment.hpp>
#include <switchyard/backup/one_session.hpp>
#include <switchyard/backup/physical_note.hpp>
#include <switchyard/config/load.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <filesystem>
#include <fstream>
#include <utility>

namespace switchyard::inline v0::backup {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

/// Everything in it, read as the superuser of the restored server.
Result<Fingerprint> read_all(const std::string& dsn, const std::string& schema) {
  Sources sources;
  sources.file = "proof.toml";
  sources.file_text = "[fleet]\napplication = \"proof\"\n[database.main]\ndsn = \"" + dsn + "\"\n";
  auto fleet = load_config(sources);
  if (!fleet.ok()) return fleet.error();
  return on_one_session<Fingerprint>(*fleet, "main", [&](Lease& lease) -> Task<Fingerprint> {
    co_return co_await read_in_snapshot(lease, schema, Contents::summed);
  });
}

PartProof part_of(const std::string& database, const Result<Fingerprint>& found) {
  PartProof part{.database = database};
  if (!found.ok()) {
    part.differences = {std::string(found.error().message())};
    return part;
  }
  part.ok = true;
  part.tables = found->tables.size();
  part.rows = found->rows();
  return part;
}

}  // namespace

Result<PhysicalProof> prove_physical(const FleetConfig& fleet, const PgBackRest& setup, const Stanza& stanza,
                                     const PhysicalProofSink& sink, std::stop_token stop) {
  auto info = pgbackrest_info(setup, stanza);
  if (!info.ok()) return info.error();
  const PhysicalBackup* newest = nullptr;
  for (const PhysicalBackup& one : info->backups) {
    if (one.repository == 1 && (newest == nullptr || one.stopped >= newest->stopped)) newest = &one;
  }
  if (newest == nullptr) {
    return Error(ErrorKind::Config, "there is no backup of the stanza " + stanza.name + " (" + info->status + ")")
        .with_hint("switchyard backup pgbackrest run");
  }
  PhysicalProof out{.label = newest->label, .proof = {}};
  if (sink) sink("restoring");
  auto server = PointInTime::restore(setup, stanza, *newest, stop);
  if (!server.ok() && server.error().kind() == ErrorKind::Cancelled) return server.error();
  for (const std::string& name : stanza.databases) {
    const DatabaseConfig& database = *fleet.find(name);
    if (!server.ok()) {
      out.proof.parts.push_back(part_of(name, server.error()));
      continue;
    }
    if (sink) sink("reading " + name);
    const std::string dsn = server->dsn(database.primary.connection.dbname);
    out.proof.parts.push_back(part_of(name, read_all(dsn, *database.schema)));
  }
  out.proof.moment = now();
  return out;
}

Result<void> write_physical_proof(const PgBackRest& setup, const Stanza& stanza, const PhysicalProof& proof) {
  json::array parts;
  for (const PartProof& part : proof.proof.parts) {
    json::array differences;
    for (const std::string& one : part.differences) differences.emplace_back(one);
    parts.push_back(json::object{{"database", part.database},
                                 {"ok", part.ok},
                                 {"tables", part.tables},
                                 {"rows", part.rows},
                                 {"differences", std::move(differences)}});
  }
  const json::object document{
      {"label", proof.label}, {"moment", text_of(proof.proof.moment)}, {"databases", std::move(parts)}};
  const fs::path path = fs::path(setup.repository) / proof_name(stanza.name);
  const fs::path making = path.string() + ".new";
  std::error_code error;
  if (!(std::ofstream(making) << json::serialize(document) << '\n')) {
    return Error(ErrorKind::Unavailable, "can't write " + making.string());
  }
  fs::permissions(making, fs::perms(0644), error);
  fs::rename(making, path, error);
  if (error) return Error(ErrorKind::Unavailable, "can't write " + path.string() + ": " + error.message());
  return {};
}

std::optional<PhysicalProof> read_physical_proof(const std::string& repository, const std::string& stanza) {
  auto text = read_whole(fs::path(repository) / proof_name(stanza), {});
  if (!text.ok()) return std::nullopt;
  boost::system::error_code wrong;
  const json::value document = json::parse(*text, wrong);
  const json::object& object = object_of(wrong ? nullptr : &document);
  const auto moment = parse_moment(text_in(object, "moment"));
  if (!moment) return std::nullopt;
  PhysicalProof out{.label = text_in(object, "label"), .proof = {}};
  out.proof.moment = *moment;
  for (const json::value& one : array_in(object, "databases")) {
    const json::object& from = object_of(&one);
    PartProof& part = out.proof.parts.emplace_back();
    part.database = text_in(from, "database");
    part.ok = flag_in(from, "ok");
    part.tables = number_in(from, "tables");
    part.rows = number_in(from, "rows");
    for (const json::value& difference : array_in(from, "differences")) {
      if (const json::string* text_of_it = difference.if_string()) part.differences.emplace_back(*text_of_it);
    }
  }
  return out;
}

}  // namespace switchyard::inline v0::backup
