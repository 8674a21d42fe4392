// switchyard backup pgbackrest: physical backups of the servers that run on this machine.
#include "commands.hpp"
#include "engine.hpp"
#include "fleet_choice.hpp"
#include "interrupt.hpp"
#include "status_view.hpp"
#include "text_table.hpp"

#include <switchyard/backup/moment.hpp>
#include <switchyard/backup/pgbackrest.hpp>
#include <switchyard/http/json_writer.hpp>

#include <algorithm>
#include <tuple>

namespace switchyard::cli {

namespace {

using backup::PgBackRest;
using backup::PhysicalBackup;
using backup::Stanza;
using http::JsonWriter;

/// What the server itself must be told, as SQL; nothing when all is well.
Result<std::vector<std::string>> missing_settings(const FleetConfig& fleet, const PgBackRest& setup,
                                                  const Stanza& stanza) {
  std::vector<std::string> missing;
  FleetConfig config = fleet;
  open_lazily(config);
  const auto work = [&](Fleet& opened) -> Task<ExitCode> {
    auto lease =
        co_await opened.database(stanza.databases.front()).value_or_throw().lease(fleet::OnConnectFailure::fail);
    const auto [mode, command, level] = co_await lease.query_one<std::tuple<std::string, std::string, std::string>>(
        "SELECT current_setting('archive_mode'), current_setting('archive_command'), current_setting('wal_level')");
    const std::string wanted = backup::archive_command(setup, stanza);
    if (level == "minimal") missing.emplace_back("ALTER SYSTEM SET wal_level = 'replica'; -- and a restart");
    if (mode == "off") missing.emplace_back("ALTER SYSTEM SET archive_mode = 'on'; -- and a restart");
    if (command != wanted) {
      missing.push_back("ALTER SYSTEM SET archive_command = '" + wanted + "'; SELECT pg_reload_conf();");
    }
    co_return ExitCode::ok;
  };
  auto done = with_fleet(std::move(config), work);
  if (!done.ok()) return done.error();
  return missing;
}

ExitCode set_up(const FleetConfig& fleet, const PgBackRest& setup, const Console& console) {
  if (auto written = backup::write_pgbackrest_config(setup); !written.ok()) return fail(console, written.error());
  console.note("wrote " + setup.config_file());
  ExitCode code = ExitCode::ok;
  const InterruptWatch interrupts;
  for (const Stanza& stanza : setup.stanzas) {
    auto made = backup::run_pgbackrest(setup, stanza, {"stanza-create"}, interrupts.token());
    if (!made.ok()) return fail(console, made.error().with_context("stanza " + stanza.name));
    console.note("stanza " + stanza.name + " is there");
    auto missing = missing_settings(fleet, setup, stanza);
    if (!missing.ok()) return fail(console, missing.error());
    for (const std::string& line : *missing) {
      console.print(line + "\n");
      code = ExitCode::failed;
    }
    if (missing->empty()) console.note("its server archives with it");
  }
  if (code != ExitCode::ok) {
    console.complain("the server does not archive its WAL yet",
                     "run the lines above on it, then: switchyard backup pgbackrest check");
  }
  return code;
}

ExitCode run_all(const PgBackRest& setup, const BackupCommand& command, const GlobalOptions& global,
                 const Console& console) {
  const InterruptWatch interrupts;
  JsonWriter json;
  json.begin_object().key("backups").begin_array();
  std::string text;
  std::size_t good = 0;
  ExitCode worst = ExitCode::ok;
  for (const Stanza& stanza : setup.stanzas) {
    const auto kind = command.full ? backup::PhysicalKind::full : backup::PhysicalKind::next;
    auto labels = backup::run_physical_backup(setup, stanza, kind, interrupts.token());
    if (!labels.ok()) {
      worst = fail(console, labels.error().with_context("stanza " + stanza.name));
      continue;
    }
    ++good;
    json.begin_object().member("stanza", stanza.name).key("labels").begin_array();
    for (const std::string& label : *labels) {
      json.value(label);
      text += stanza.name + "  " + label + '\n';
    }
    json.end_array().end_object();
  }
  console.print(global.json ? json.end_array().end_object().take() : text);
  return worst != ExitCode::ok && good > 0 ? ExitCode::partial : worst;
}

ExitCode check(const PgBackRest& setup, const Console& console) {
  const InterruptWatch interrupts;
  for (const Stanza& stanza : setup.stanzas) {
    auto checked = backup::run_pgbackrest(setup, stanza, {"check"}, interrupts.token());
    if (!checked.ok()) {
      return fail(console, checked.error()
                               .with_context("stanza " + stanza.name)
                               .with_hint("switchyard backup pgbackrest setup says what its server needs"));
    }
    console.print(stanza.name + "  WAL arrives in every repository\n");
  }
  return ExitCode::ok;
}

ExitCode show(const PgBackRest& setup, const GlobalOptions& global, const Console& console) {
  JsonWriter json;
  json.begin_object().key("stanzas").begin_array();
  std::string text;
  for (const Stanza& stanza : setup.stanzas) {
    auto info = backup::pgbackrest_info(setup, stanza);
    if (!info.ok()) return fail(console, info.error());
    json.begin_object().member("stanza", stanza.name).member("status", info->status);
    json.member("first_wal", info->first_wal).member("last_wal", info->last_wal).key("databases").begin_array();
    for (const std::string& one : stanza.databases) json.value(one);
    json.end_array().key("backups").begin_array();
    TextTable table({{"backup"},
                     {"type"},
                     {"repository", Align::right},
                     {"ended"},
                     {"size", Align::right},
                     {"stored", Align::right}});
    for (const PhysicalBackup& one : info->backups) {
      const std::string ended = backup::text_of(backup::Moment(std::chrono::seconds(one.stopped)));
      json.begin_object()
          .member("label", one.label)
          .member("type", one.type)
          .member("repository", one.repository)
          .member("ended", ended)
          .member("bytes", one.bytes)
          .member("repository_bytes", one.repository_bytes)
          .end_object();
      table.add({{one.label, Tone::strong},
                 one.type,
                 std::to_string(one.repository),
                 ended,
                 readable_size(one.bytes),
                 readable_size(one.repository_bytes)});
    }
    json.end_array().end_object();
    text += console.out()(Tone::strong, stanza.name) + "  " + info->status;
    if (!info->first_wal.empty()) text += "  WAL " + info->first_wal + " to " + info->last_wal;
    text += '\n' + (table.empty() ? std::string() : table.text(console.out(), 2));
  }
  console.print(global.json ? json.end_array().end_object().take() : text);
  return ExitCode::ok;
}

}  // namespace

ExitCode run_pgbackrest(const GlobalOptions& global, const BackupCommand& command, const Console& console) {
  auto choice = choose_fleet(global);
  if (!choice.ok()) return fail(console, choice.error());
  auto setup = backup::find_pgbackrest(choice->config);
  if (!setup.ok()) return fail(console, setup.error());
  switch (command.action) {
    case BackupAction::config:
      console.print(backup::pgbackrest_config(*setup, backup::Passphrase::masked));
      return ExitCode::ok;
    case BackupAction::setup: return set_up(choice->config, *setup, console);
    case BackupAction::run: return run_all(*setup, command, global, console);
    case BackupAction::check: return check(*setup, console);
    default: return show(*setup, global, console);
  }
}

}  // namespace switchyard::cli
