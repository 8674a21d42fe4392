#include <switchyard/backup/manifest.hpp>

#include <switchyard/backup/json_fields.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace switchyard::inline v0::backup {

namespace {

namespace json = boost::json;
constexpr std::uint64_t kFormat = 1;

json::object write(const StoredFile& file) {
  return {{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}};
}

StoredFile read_file(const json::object& object) {
  return {text_in(object, "name"), number_in(object, "bytes"), text_in(object, "sha256")};
}

json::object write(const BackupPart& part) {
  return {{"database", part.database},
          {"schema", part.schema},
          {"dbname", part.dbname},
          {"server", part.server},
          {"role", part.role},
          {"server_version", part.server_version},
          {"dump_version", part.dump_version},
          {"encoding", part.encoding},
          {"collate", part.collate},
          {"ctype", part.ctype},
          {"moment", text_of(part.moment)},
          {"seconds", part.seconds},
          {"database_bytes", part.database_bytes},
          {"tables", part.tables},
          {"dump", write(part.dump)},
          {"fingerprint", write(part.fingerprint)}};
}

BackupPart read_part(const json::object& object) {
  BackupPart part;
  part.database = text_in(object, "database");
  part.schema = text_in(object, "schema");
  part.dbname = text_in(object, "dbname");
  part.server = text_in(object, "server");
  part.role = text_in(object, "role");
  part.server_version = text_in(object, "server_version");
  part.dump_version = text_in(object, "dump_version");
  part.encoding = text_in(object, "encoding");
  part.collate = text_in(object, "collate");
  part.ctype = text_in(object, "ctype");
  part.moment = parse_moment(text_in(object, "moment")).value_or(Moment());
  part.seconds = number_in(object, "seconds");
  part.database_bytes = number_in(object, "database_bytes");
  part.tables = number_in(object, "tables");
  part.dump = read_file(object_in(object, "dump"));
  part.fingerprint = read_file(object_in(object, "fingerprint"));
  return part;
}

/// A name within the folder, and nowhere else.
bool plain(const StoredFile& file) {
  return !file.name.empty() && file.name.find('/') == std::string::npos && !file.name.starts_with(".");
}

}  // namespace

const BackupPart* Manifest::find(std::string_view database) const noexcept {
  const auto at = std::ranges::find(parts, database, &BackupPart::database);
  return at == parts.end() ? nullptr : &*at;
}

std::vector<StoredFile> Manifest::files() const {
  std::vector<StoredFile> all;
  for (const BackupPart& part : parts) {
    all.push_back(part.dump);
    all.push_back(part.fingerprint);
  }
  for (const GlobalsPart& one : globals) all.push_back(one.file);
  return all;
}

std::uint64_t Manifest::bytes() const noexcept {
  std::uint64_t sum = 0;
  for (const BackupPart& part : parts) sum += part.dump.bytes + part.fingerprint.bytes;
  for (const GlobalsPart& one : globals) sum += one.file.bytes;
  return sum;
}

std::string to_json(const Manifest& manifest) {
  json::array parts, globals, failed, recipients;
  for (const BackupPart& part : manifest.parts) parts.push_back(write(part));
  for (const GlobalsPart& one : manifest.globals) {
    globals.push_back(json::object{{"server", one.server},
                                   {"passwords", one.passwords},
                                   {"server_version", one.server_version},
                                   {"file", write(one.file)}});
  }
  for (const FailedPart& one : manifest.failed) {
    failed.push_back(json::object{{"database", one.database}, {"error", one.error}});
  }
  for (const std::string& one : manifest.recipients) recipients.push_back(json::value(one));
  const json::object document{{"format", kFormat},
                              {"id", manifest.id},
                              {"application", manifest.application},
                              {"switchyard", manifest.version},
                              {"started", text_of(manifest.started)},
                              {"finished", text_of(manifest.finished)},
                              {"one_moment", manifest.parts.size() == 1},
                              {"encrypted", !manifest.recipients.empty()},
                              {"recipients", std::move(recipients)},
                              {"parts", std::move(parts)},
                              {"globals", std::move(globals)},
                              {"failed", std::move(failed)}};
  return json::serialize(document) + '\n';
}

Result<Manifest> parse_manifest(std::string_view text) {
  boost::system::error_code wrong;
  const json::value document = json::parse(text, wrong);
  if (wrong || !document.is_object()) return Error(ErrorKind::Protocol, "the manifest is no JSON document");
  const json::object& object = document.get_object();
  const std::uint64_t format = number_in(object, "format");
  if (format != kFormat) {
    return Error(ErrorKind::Protocol,
                 "the manifest has format " + std::to_string(format) + "; this program knows 1")
        .with_hint("it was made by a later version of Switchyard: use that one");
  }
  Manifest manifest;
  manifest.id = text_in(object, "id");
  manifest.application = text_in(object, "application");
  manifest.version = text_in(object, "switchyard");
  manifest.started = parse_moment(text_in(object, "started")).value_or(Moment());
  manifest.finished = parse_moment(text_in(object, "finished")).value_or(Moment());
  for (const json::value& one : array_in(object, "recipients")) {
    if (const auto* recipient = one.if_string())
      manifest.recipients.emplace_back(recipient->data(), recipient->size());
  }
  for (const json::value& one : array_in(object, "parts")) manifest.parts.push_back(read_part(object_of(&one)));
  for (const json::value& one : array_in(object, "globals")) {
    const json::object& part = object_of(&one);
    manifest.globals.push_back({text_in(part, "server"), flag_in(part, "passwords"),
                                text_in(part, "server_version"), read_file(object_in(part, "file"))});
  }
  for (const json::value& one : array_in(object, "failed")) {
    const json::object& part = object_of(&one);
    manifest.failed.push_back({text_in(part, "database"), text_in(part, "error")});
  }
  const auto files = manifest.files();
  if (manifest.id.empty() || !std::ranges::all_of(files, plain)) {
    return Error(ErrorKind::Protocol, "the manifest names no backup or files outside of it");
  }
  return manifest;
}

}  // namespace switchyard::inline v0::backup
