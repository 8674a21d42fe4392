#include "help.hpp"

#include <algorithm>
#include <array>

namespace switchyard::cli {

namespace {

struct Topic {
  std::string_view name;
  std::string_view text;
};

constexpr std::string_view kGlobal = R"help(
Options of every command:
  -c, --config FILE      fleet file (default: ./switchyard.toml if there is one)
      --env-file FILE    variables, instead of ./.env
      --set KEY=VALUE    one setting, stronger than all of these: --set database.main.pool.max=50
      --application NAME which running fleet is meant, when several run
      --json             data as JSON
  -q, --quiet            no messages beside the data       -v, --verbose   more of them
      --no-color         no colours (as NO_COLOR does)     -h, --help
)help";

constexpr std::array kTopics{
    Topic{"", R"help(Switchyard: an application's PostgreSQL databases as one fleet.

  switchyard up                       start everything; private servers where none is configured
  switchyard gateway                  let PostgreSQL clients in: psql, drivers, services
  switchyard query "SELECT now()"     run a statement on a database of the fleet
  switchyard shell --on main          psql on the right endpoint
  switchyard status [--watch]         databases, endpoints, pools
  switchyard route explain [--read]   where a statement would go, and why not elsewhere
  switchyard sql explain "SELECT 1"   what a statement is, and whether it may share a session
  switchyard events [--follow]        slow statements, exhausted pools, breakers: what happened lately
  switchyard health                   does each database serve?
  switchyard breaker [open|close|reset --on DATABASE]
  switchyard doctor                   find what is wrong with configuration and servers, and how to fix it
  switchyard spool                    writes that wait for a database that is away
  switchyard migrate                  schemas: status, new, plan, up, validate, repair, baseline, lint, drift
  switchyard backup [list|prune]      dumps of all databases, encrypted if you like; pgBackRest
  switchyard verify-backup            restore a backup on a private server and compare
  switchyard restore --on DATABASE    bring a database or schema back
  switchyard provision                databases, schemas, roles: plan, apply, audit, rotate, logging
  switchyard owners [explain TABLE]   which database each table belongs to
  switchyard move TABLES --from main --to analytics
                                      live tables to another database; status, confirm, rollback, abort
  switchyard split SCHEMA --to SERVER/DBNAME
                                      a schema to a server of its own
  switchyard maintenance begin|end    take a database out of service on purpose
  switchyard config explain           every setting, and where it came from
  switchyard down                     stop what `up --detach` started
  switchyard completion bash|zsh|fish
  switchyard version

switchyard COMMAND --help tells more.
Exit status: 0 ok, 1 failed, 2 usage, 3 partial, 4 authentication, 5 unreachable, 130 interrupted.
)help"},
    Topic{
        "move",
        R"help(switchyard move [TABLE...] --from DATABASE --to DATABASE [--no-switch] [--pause 900ms] [--patience 10m]
switchyard move status|follow|confirm|rollback|abort [--from DATABASE] [--to DATABASE]

Moves live tables: copies them, repeats what is written meanwhile, compares both sides, then switches while writers wait
for less than a second. Ctrl-C and kill -9 are safe at any moment: the same command goes on.

  switchyard move events facts --from main --to analytics   these tables
  switchyard move --to analytics                            all that database.analytics.tables names
  switchyard move --to analytics --no-switch                everything but the switch, which the next run makes
  switchyard move status                                    what there is, how far, and what to do next
  switchyard move rollback --from main --to analytics       back, with everything that was written there since
  switchyard move follow --from main --to analytics         keeps the old copy up to date, so that going back is quick
  switchyard move confirm --from main --to analytics        the old copy is emptied: no way back any more
  switchyard move abort --from main --to analytics          before the switch: nothing is left of it

      --pause DURATION      writers wait no longer; an attempt that would take longer is made again (900ms)
      --patience DURATION   for an attempt that succeeds (10m)
      --no-verify           compares nothing

docs/moving.md says how it works, what it needs, and what it does not move.
)help"},
    Topic{"split",
          R"help(switchyard split SCHEMA --to DATABASE|SERVER/DBNAME [--from DATABASE]

Moves a whole schema that outgrew its server, with the role that owns it: as `switchyard move` does, with all its tables,
sequences, types, functions and views. SERVER is a [server.NAME] of the fleet file.

  switchyard split commerce_schema --to commerce_server/chiro_commerce
  switchyard split rollback commerce_schema --to commerce_server/chiro_commerce
  switchyard split confirm commerce_schema --to commerce_server/chiro_commerce
)help"},
    Topic{"owners",
          R"help(switchyard owners [explain TABLE]

Which database each table belongs to: from [database.NAME] tables, from the migrations of each database, and from the
schemas that databases have for their own. Exit status 1 when two of them contradict each other.

  switchyard owners                    all tables, who owns them, and which file says so
  switchyard owners explain users      one table, with everything that is said about it
  switchyard route explain --on reference --sql "SELECT * FROM users"

In development and test (fleet.server_type) a statement that is sent to another database fails with the right one named,
and so does a transaction that would write to two databases; fleet.owner_check = "off|warn|fail" says otherwise.
)help"},
    Topic{
        "gateway",
        R"help(switchyard gateway [--config FILE|--pgbouncer-ini FILE] [--listen ADDRESS]... [--http ADDRESS|auto|off]
                   [--shards N] [--takeover]
switchyard gateway restart

Lets any PostgreSQL client in, with the name of a database of the fleet as its dbname, and runs until Ctrl-C: clients
end as they become idle, the rest after fleet.shutdown_timeout (a second Ctrl-C ends at once).

  psql -h 127.0.0.1 -p 6433 -U ROLE -d reference         the primary of that database
  psql -h 127.0.0.1 -p 6433 -U ROLE -d reference:read    a replica that is fresh enough

Who may log in is said by gateway.users_file, gateway.auth_user and gateway.hba; the account that runs the gateway may
by Unix-domain socket (gateway.unix_socket). SIGHUP reads these again, for those who log in from then on.

      --listen ADDRESS   HOST:PORT, PORT on 127.0.0.1, *:PORT for every address of this machine, auto for the next free
                         port; several times for several (default: gateway.listen, 127.0.0.1:6433)
      --http ADDRESS     the HTTP door with /metrics and /health beside it; auto: the next free port, off: none
      --shards N         threads that serve clients (default: gateway.shards, 1)
      --pgbouncer-ini FILE
                         PgBouncer's configuration as it is, instead of a fleet file; what has no meaning here is said
  restart                the gateway that runs starts its program again, as it was started, and hands its clients over:
                         for a new version, or what is read at the start only (kill -USR2 does the same)

      --takeover         take over from the gateway of this application that runs, if one does: its listening sockets at
                         once, its clients between two of their transactions; it ends when the last one has gone
)help"},
    Topic{
        "up",
        R"help(switchyard up [--detach] [--persist DIR] [--http ADDRESS|auto] [--gateway ADDRESS|auto|off] [--no-private]

Opens the fleet, its HTTP door and its gateway for PostgreSQL clients, and runs until Ctrl-C (a second one ends at once).

Databases with a connection string are used as they are. The others get private PostgreSQL servers, started from the
installed programs, reached over Unix sockets, gone at the end. Replicas are real streaming replicas. Without any
configuration this is a demonstration fleet: main with a replica, reference, analytics, documents, compliance.

  -d, --detach           go to the background when everything is ready
      --persist DIR      keep the private servers' data in DIR, durably
      --http ADDRESS     address of the HTTP door (default 127.0.0.1:8420); auto: the next free port
      --gateway ADDRESS  where psql and other clients connect (default 127.0.0.1:6433, or the next free port); off: nowhere
      --no-private       start no private servers

A fresh private database is filled from FOLDER/DATABASE.sql if that file exists, FOLDER being the fleet file's name
without .toml: examples/wellwon.toml, examples/wellwon/main.sql.
)help"},
    Topic{"spool", R"help(switchyard spool [--on DATABASE]
switchyard spool list [--on DATABASE]
switchyard spool retry --on DATABASE [ENTRY]
switchyard spool drop --on DATABASE ENTRY --confirm=DATABASE
switchyard spool drain [--on DATABASE] [--timeout 60s]
switchyard spool ddl

Writes of a database that is away (when_down = "spool") wait in its fallback database. Without a word: how many, how
old, and what was refused.

  list     the entries: those that wait, and those that the database refused, with its error
  retry    puts refused entries (or the one named) at the end of the line
  drop     deletes a refused entry for good
  drain    applies what waits now, as a running program of the fleet does by itself
  ddl      prints the tables of the spool, for the owner of a database whose login may not make them
)help"},
    Topic{"migrate", R"help(switchyard migrate [status] [--on DATABASE]...
switchyard migrate new [--on DATABASE] [--version V|--repeatable] WORDS
switchyard migrate plan|validate|drift [--on DATABASE]...
switchyard migrate up [--on DATABASE]... [--target V] [--jobs 4] [--lock-timeout 1s] [--statement-timeout 5s]
switchyard migrate repair [--on DATABASE]... [--delete-missing]
switchyard migrate baseline --on DATABASE [--version 1]
switchyard migrate lint [FILE]...

Migrations of all databases, in Flyway's layout and history: files in migrations/DATABASE beside the fleet file (or
database.NAME.migrations.locations): V1__words.sql, R__words.sql, callbacks, ref_006_words.sql with "-- Target:".

  status    each migration and its state; what the head of a script says about it
  new       makes the next file
  plan      what would run, the locks it takes, and what is wrong with that
  up        runs it; a script and its row in the history commit together; exit status 3 when some databases failed
  validate  files and history agree, and nothing waits
  repair    removes failed rows, takes over checksums and names of the files
  baseline  a database that has tables begins its history at a version
  lint      judges files without a database
  drift     compares the database with what its migrations give on a private server

      --target V             nothing later than V
      --out-of-order         also what is older than what was applied
      --placeholder N=V      value of ${N}
      --ignore TYPE:STATE    as Flyway's ignoreMigrationPatterns: '*:missing'
      --lock-timeout T       a statement that waits longer gives way, and the script is run again (default 1s)
      --statement-timeout T  a statement that takes longer ends (default 5s; 0: no limit)
      --grants               drift: owners and grants too
      --baseline-on-migrate  a database with tables and no history begins at --version (default 1)
)help"},
    Topic{
        "backup",
        R"help(switchyard backup [--on DATABASE]... [--repository DIR] [--recipient age1...]... [--jobs 2] [--prune]
switchyard backup --on DATABASE --schema SCHEMA
switchyard backup list|prune [--repository DIR] [--dry-run]
switchyard backup keygen FILE
switchyard backup pgbackrest config|setup|run|check|info

Dumps every configured database (pg_dump), several at a time, and the roles of their servers, into a folder of
backup.repository. A database that is a schema is dumped as its own role. Each dump is consistent in itself; dumps of
several databases are not one moment.

  list     what there is, how old, proven or not, damaged or interrupted
  prune    removes what is older than database.NAME.backup.retention, never the newest, never the newest proven one
  keygen   makes a key pair of age: the secret half goes to FILE, the public half (age1...) to standard output
  pgbackrest
           config  prints the configuration that the fleet file describes
           setup   writes it, makes the stanza and tells what the server still needs
           run     the next backup: full once a week, else incremental (--full: full)
           check   archiving works; info: what there is

      --recipient KEY    encrypt for this public key (default: backup.recipients); --clear: do not
      --schema NAME      this schema alone
      --whole            the whole database of one that is a schema
      --no-checksums     keep numbers of rows only: a restore test compares less, and the tables are read once
      --prune            prune afterwards

  switchyard backup --repository /var/backups/wellwon
  switchyard backup --on commerce
)help"},
    Topic{"restore",
          R"help(switchyard restore --on DATABASE [--from BACKUP|latest] [--into NEW_DATABASE] [--confirm=DATABASE]
switchyard restore --on DATABASE --extract FILE
switchyard restore --on DATABASE --at "2026-11-22 01:00:00+00" [--into NEW_DATABASE|--extract FILE]

Brings a database (or schema) back in one transaction, and compares it with what the backup says. A database that holds
something is left alone unless --confirm names it; then what the backup holds replaces what is there, and what else is
there stays.

      --from BACKUP         one of `switchyard backup list` (default: the newest that holds it)
      --into NEW_DATABASE   beside it, on the same server
      --extract FILE        only decrypt: pg_restore reads the file
      --at TIME             a moment between backups, from pgBackRest, by way of a private server
      --globals             bring the server's roles back first
      --no-owner            everything belongs to whoever restores
      --identity-file FILE  the secret key (default: backup.identity)
)help"},
    Topic{"verify-backup", R"help(switchyard verify-backup [BACKUP|latest] [--on DATABASE]... [--identity-file FILE]
switchyard verify-backup pgbackrest

Proves a backup: checks its files, restores it on a private server, and compares catalogue, numbers of rows and contents
with what was there when it was made. The result is kept with the backup; `switchyard status` shows it.
pgbackrest: the newest backup of pgBackRest is restored to the moment at which it ended, and every row is read; also what
latest means where there are no dumps.

  switchyard verify-backup
  switchyard verify-backup 20261122T013000Z --on main
)help"},
    Topic{"provision", R"help(switchyard provision [plan] [--on DATABASE]...
switchyard provision apply [--on DATABASE]... [--confirm APPLICATION] [--hba]
switchyard provision audit [--on DATABASE]... [--report FOLDER|FILE]
switchyard provision rotate [--on DATABASE|--role ROLE]... [--finish] [--confirm APPLICATION]
switchyard provision logging --on DATABASE [--for 10m] [--statements all|mod|ddl] [--reconnect] [--detach] | --off

Makes on the servers what the fleet file says: databases, schemas with their owners, roles that may do what they are
there for and nothing else, search_path, time-outs, limits. It connects as provision.admin_user (or admin_dsn).
Passwords are made up, kept in provision.secrets (a file for each role, mode 0600), and told to servers as SCRAM
verifiers only.

  plan     the statements that apply would run, and why; changes nothing
  apply    runs them; a second time there is nothing to do. What drops, or takes away from somebody who may miss it, is
           left undone without --confirm (exit status 3)
  audit    everything beyond the plan, and what is dangerous in itself; exit status 3 when there is something
  rotate   new passwords while clients work; killed half-way, the next run finishes
  logging  the statements of a database's roles in the server's log, with an end

      --confirm APPLICATION  also what drops or takes away; rotate: also passwords that nobody here knows
      --hba                  lines in pg_hba.conf that refuse without TLS the roles that have to use it
      --report FOLDER|FILE   keeps the findings, dated, and says what is new and what is gone since the last report
      --finish               only what an earlier rotation has begun
      --reconnect            idle sessions end, so that their clients' next ones are logged
      --detach               do not wait for the end: the next apply ends it

  switchyard provision apply --config chiroerp.toml
  switchyard provision rotate --role commerce_user
)help"},
    Topic{"maintenance", R"help(switchyard maintenance begin --on DATABASE [--for 30m]
switchyard maintenance end --on DATABASE

Takes a database out of service: every program of the fleet sees it within seconds, ends what it is doing there, closes
its sessions and goes on as when_down says. Health and status say "maintenance", and nobody is alerted.

      --for TIME         it ends by itself after this long
)help"},
    Topic{"down", R"help(switchyard down [--timeout 30s]

Stops the running fleet and waits until it has ended. Nothing to stop is no error.
)help"},
    Topic{"status", R"help(switchyard status [--watch] [--interval 1s]

Databases, endpoints, pools and operations: of the running fleet, or, when none runs, of the configured databases, which
are then opened for a moment.

  -w, --watch            again and again, until Ctrl-C
)help"},
    Topic{"events", R"help(switchyard events [--follow] [--json]

What happened lately in the running fleet: [SLOW QUERY], [SLOW POOL], [POOL EXHAUSTION], [CIRCUIT BREAKER] and others, as
far back as it remembers (telemetry.events_kept). --json: one object a line.

  -f, --follow           then go on with what happens, until Ctrl-C
)help"},
    Topic{"query", R"help(switchyard query [--on DATABASE] [--read] [--csv|--json] [--timeout 30s] SQL

Runs SQL and prints the rows: a table, --csv, or --json (one object a row). "-" reads the SQL from standard input; several
statements run one after the other on one session. Rows are printed as they come.

      --on DATABASE      main unless said otherwise; main_replica and the like read from a replica
      --read             a replica may answer
)help"},
    Topic{"sql", R"help(switchyard sql explain [--on DATABASE] [--json] SQL

What a statement is and does, and whether it may share a session.
)help"},
    Topic{"sql explain", R"help(switchyard sql explain [--on DATABASE] [--json] SQL

Parses the SQL ("-" reads it from standard input), without running it: which kind of statement it is, whether it
reads or writes, what it names, what it leaves on a session, and whether it may share one with other callers'
statements, with the reasons.

      --on DATABASE      whose functions, operators, types and relations its names mean. Without it nothing may share,
                         and only what the text itself says against it is told
)help"},
    Topic{"shell", R"help(switchyard shell [--on DATABASE] [-- PSQL-ARGUMENTS]

Becomes psql, connected to the database's endpoint. The password goes by environment, never by argument.
)help"},
    Topic{"config", R"help(switchyard config explain [--all]

Every setting with its value and where it came from; secrets are masked.

  -a, --all              the defaults as well
)help"},
    Topic{"config explain", R"help(switchyard config explain [--all]

Every setting with its value and where it came from; secrets are masked.

  -a, --all              the defaults as well
)help"},
    Topic{
        "route",
        R"help(switchyard route explain [--on DATABASE] [--read] [--replica NAME] [--max-lag 2s] [--min-lsn LSN] [--sql TEXT] [--json]

Where a statement would go now, and why not elsewhere.
)help"},
    Topic{
        "route explain",
        R"help(switchyard route explain [--on DATABASE] [--read] [--replica NAME] [--max-lag 2s] [--min-lsn LSN] [--sql TEXT] [--json]

Looks at every place of the database once and says where a statement would go, and why not elsewhere. Without --read
it is a statement that may write.

      --on DATABASE      main unless said otherwise; main_replica and the like are read views
      --read             of a read view; so with each of these:
      --replica NAME     the replica with this name or purpose
      --max-lag TIME     rows at most this old
      --sql TEXT         would this statement share a session there, and why not?
      --min-lsn LSN      after a write up to there: 0/402A018, or a position of the header Switchyard-Min-LSN

Ends with 5 when there is no place for it.
)help"},
    Topic{"doctor", R"help(switchyard doctor [--on DATABASE]

Checks configuration and servers; each finding comes with the line that fixes it. Proves with live figures that the
connections of all workers fit into what the servers allow; with --json as `budget`. Ends with 0 when all is well.
)help"},
    Topic{"health", R"help(switchyard health [--on DATABASE]

Runs SELECT 1 everywhere. Ends with 0 when everything serves, 3 when some, 5 when nothing does.
)help"},
    Topic{"breaker", R"help(switchyard breaker [--on DATABASE]
switchyard breaker open|close|reset --on DATABASE [--replica NAME] [--access read|write]

The circuit breakers of the running fleet: one for each endpoint and access. Without a command it shows them.

  open                   refuse every call until close or reset; health checks still go through
  close                  let every call through, whatever fails, until open or reset
  reset                  CLOSED, nothing remembered, by its own rules again

      --replica NAME     those of a replica instead of the primary's
      --access KIND      read or write; both without it
)help"},
    Topic{"completion", R"help(switchyard completion bash|zsh|fish

Prints a completion script:
  bash   source <(switchyard completion bash)
  zsh    switchyard completion zsh > "${fpath[1]}/_switchyard"
  fish   switchyard completion fish > ~/.config/fish/completions/switchyard.fish
)help"},
    Topic{"version", R"help(switchyard version [--json]
)help"},
};

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::optional<std::string> help_text(std::string_view command) {
  const auto topic = std::ranges::find(kTopics, trimmed(command), &Topic::name);
  if (topic == kTopics.end()) return std::nullopt;
  return std::string(topic->text) + std::string(kGlobal);
}

}  // namespace switchyard::cli
