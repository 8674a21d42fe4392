#include <switchyard/backup/feed_dump.hpp>

#include <switchyard/backup/backup_file.hpp>
#include <switchyard/backup/client_environment.hpp>
#include <switchyard/backup/client_run.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

namespace switchyard::inline v0::backup {

namespace {

constexpr std::string_view kApplication = "switchyard restore";

int major_of(const std::string& version) {
  int major = 0;
  std::from_chars(version.data(), version.data() + version.size(), major);
  return major;
}

/// "dbname='x'": a name alone could be taken for a connection string.
std::string dbname_argument(const std::string& name) {
  std::string out = "--dbname=dbname='";
  for (const char c : name) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + '\'';
}

}  // namespace

Result<std::string> feed_dump(const Feed& feed, const BackupPart& part, std::vector<std::string> arguments,
                              const RestoreSink& sink, const std::stop_token& stop) {
  // Of the dump's version at least, to read it; of the server's, so that it says nothing the server does not know.
  const auto programs =
      choose_client_programs(feed.programs, std::max(feed.server_major, major_of(part.dump_version)));
  if (!programs.ok()) return programs.error();
  auto reader = BackupFileReader::open(feed.folder / part.dump.name, feed.identities);
  if (!reader.ok()) return reader.error();
  arguments.insert(arguments.begin(), {"--format=custom", "--no-password", "--exit-on-error",
                                       dbname_argument(feed.connection.dbname)});
  embedded::LaunchSpec spec{.program = programs->program("pg_restore"),
                            .arguments = std::move(arguments),
                            .environment = client_environment(feed.connection, kApplication)};
  RestoreProgress progress{0, part.dump.bytes};
  return run_and_feed(
      std::move(spec),
      [&](std::string& out) -> Result<void> {
        const std::size_t before = out.size();
        SY_TRY(reader->read(out));
        progress.read += out.size() - before;
        if (sink) sink(progress);
        return {};
      },
      stop);
}

Result<std::vector<std::string>> feed_globals(const Feed& feed, const GlobalsPart& globals,
                                              const std::stop_token& stop) {
  const auto programs = choose_client_programs(feed.programs, feed.server_major);
  if (!programs.ok()) return programs.error();
  auto reader = BackupFileReader::open(feed.folder / globals.file.name, feed.identities);
  if (!reader.ok()) return reader.error();
  embedded::LaunchSpec spec{
      .program = programs->program("psql"),
      .arguments = {"--no-psqlrc", "--quiet", "--no-password", dbname_argument(feed.connection.dbname), "--file=-"},
      .environment = client_environment(feed.connection, kApplication)};
  auto said = run_and_feed(std::move(spec), [&](std::string& out) { return reader->read(out); }, stop);
  if (!said.ok()) return said.error();
  std::vector<std::string> others;
  for (std::string_view rest = *said; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    const bool error = line.find("ERROR:") != std::string_view::npos;
    if (error && line.find("already exists") == std::string_view::npos) others.emplace_back(line);
  }
  return others;
}

}  // namespace switchyard::inline v0::backup
