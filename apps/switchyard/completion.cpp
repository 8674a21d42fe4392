#include "commands.hpp"

#include <switchyard/base/suggest.hpp>

#include <array>
#include <string>
#include <string_view>

namespace switchyard::cli {

namespace {

constexpr std::string_view kBash = R"sh(# switchyard completion for bash:  source <(switchyard completion bash)
_switchyard() {
  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" command="" word words
  local global="--config --env-file --set --application --json --no-color --quiet --verbose --help"
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in
      up|gateway|down|status|events|query|shell|config|route|sql|doctor|health|breaker|migrate|owners|move|split|provision|backup|restore|verify-backup|completion|version|help) command="$word"; break ;;
    esac
  done
  case "$previous" in
    --on) COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" --quiet database-names 2>/dev/null)" -- "$current")); return ;;
    --config|-c|--env-file) COMPREPLY=($(compgen -f -- "$current")); return ;;
    --persist) COMPREPLY=($(compgen -d -- "$current")); return ;;
    --access) COMPREPLY=($(compgen -W "read write" -- "$current")); return ;;
    --gateway) COMPREPLY=($(compgen -W "auto off 127.0.0.1:6433" -- "$current")); return ;;
    --listen) COMPREPLY=($(compgen -W "auto 127.0.0.1:6433 *:6433" -- "$current")); return ;;
    --http) COMPREPLY=($(compgen -W "auto 127.0.0.1:8420" -- "$current")); return ;;
  esac
  case "$command" in
    "") words="up gateway down status events query shell config route sql doctor health breaker migrate owners move split provision backup restore verify-backup completion version help $global --version" ;;
    up) words="--detach --persist --http --gateway --no-private $global" ;;
    gateway) words="restart --listen --http --pgbouncer-ini --shards --takeover $global" ;;
    down) words="--timeout $global" ;;
    status) words="--watch --interval $global" ;;
    events) words="--follow $global" ;;
    query) words="--on --read --csv --timeout $global" ;;
    shell|doctor|health) words="--on $global" ;;
    breaker) words="open close reset --on --replica --access $global" ;;
    migrate) words="status new plan up validate repair baseline lint drift --on --target --out-of-order --placeholder --ignore --version --repeatable --jobs --lock-timeout --statement-timeout --baseline-on-migrate --no-validate --delete-missing --grants $global" ;;
    provision) words="plan apply audit rotate logging --on --confirm --hba --report --role --finish --for --statements --off --detach --reconnect $global" ;;
    config) words="explain --all $global" ;;
    owners) words="explain $global" ;;
    move|split) words="status follow confirm rollback abort --from --to --pause --patience --no-switch --no-verify $global" ;;
    sql) words="explain --on $global" ;;
    route) words="explain --on --read --replica --max-lag --min-lsn --sql $global" ;;
    completion) words="bash zsh fish" ;;
    backup) words="list prune keygen pgbackrest --on --repository --recipient --clear --schema --whole --jobs --no-checksums --prune --dry-run $global" ;;
    restore) words="--on --from --repository --into --extract --at --confirm --globals --no-owner --identity-file $global" ;;
    verify-backup) words="latest --on --repository --identity-file $global" ;;
    help) words="up gateway down status events query shell config route sql doctor health breaker migrate owners move split provision backup restore verify-backup completion version" ;;
    *) words="$global" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _switchyard switchyard
)sh";

constexpr std::string_view kZsh = R"sh(#compdef switchyard
# switchyard completion for zsh:  switchyard completion zsh > "${fpath[1]}/_switchyard"
_switchyard_databases() {
  local -a names
  names=(${(f)"$(_call_program databases ${words[1]} --quiet database-names 2>/dev/null)"})
  _describe 'database' names
}
_switchyard() {
  local -a commands global
  commands=(
    'up:start everything' 'gateway:let PostgreSQL clients in' 'down:stop what up --detach started' 'status:databases, endpoints, pools' 'events:what happened lately'
    'query:run a statement' 'shell:psql on the right endpoint' 'config:explain every setting'
    'route:where a statement would go' 'sql:what a statement is'
    'doctor:find what is wrong' 'health:does each database serve?' 'breaker:circuit breakers' 'migrate:schemas of all databases' 'owners:which database a table belongs to' 'move:live tables to another database' 'split:a schema to a server of its own' 'provision:databases, schemas and roles of the servers' 'backup:dumps of all databases' 'restore:bring a database back'
    'verify-backup:prove a backup' 'completion:print a completion script'
    'version:print the version' 'help:explain a command'
  )
  global=(
    '(-c --config)'{-c,--config}'[fleet file]:file:_files' '--env-file[variables]:file:_files'
    '*--set[one setting]:key=value:' '--application[which running fleet]:name:' '--json[data as JSON]'
    '--no-color[no colours]' '(-q --quiet)'{-q,--quiet}'[no messages]' '(-v --verbose)'{-v,--verbose}'[more messages]'
    '(-h --help)'{-h,--help}'[help]'
  )
  _arguments -C $global '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe 'command' commands ;;
    argument)
      case $words[1] in
        up) _arguments $global '(-d --detach)'{-d,--detach}'[go to the background]' \
              '--persist[keep data]:folder:_files -/' '--http[address or auto]:address:(auto)' \
              '--gateway[address, auto or off]:address:(auto off)' '--no-private[start no private servers]' ;;
        gateway) _arguments $global '--pgbouncer-ini[configuration of PgBouncer]:file:_files' '--takeover[from the one that runs]' '--shards[threads that serve clients]:number:' '*--listen[where clients connect]:address:(auto)' '--http[address, auto or off]:address:(auto off)' ;;
        down) _arguments $global '--timeout[longest wait]:duration:' ;;
        status) _arguments $global '(-w --watch)'{-w,--watch}'[again and again]' '--interval[between looks]:duration:' ;;
        events) _arguments $global '(-f --follow)'{-f,--follow}'[and what happens from now on]' ;;
        query) _arguments $global '--on[database]:database:_switchyard_databases' '--read[a replica may answer]' \
              '--csv[as CSV]' '--timeout[longest time]:duration:' '1:sql:' ;;
        shell|doctor|health) _arguments $global '--on[database]:database:_switchyard_databases' ;;
        breaker) _arguments $global '--on[database]:database:_switchyard_databases' '--replica[of this replica]:name:' \
              '--access[read or write]:access:(read write)' '1:command:(open close reset)' ;;
        config) _arguments $global '(-a --all)'{-a,--all}'[defaults as well]' '1:what:(explain)' ;;
        sql) _arguments $global '1:what:(explain)' '--on[database]:database:_switchyard_databases' '2:sql:' ;;
        route) _arguments $global '1:what:(explain)' '--on[database]:database:_switchyard_databases' '--read[of a read view]' \
              '--replica[name or purpose]:replica:' '--max-lag[age of rows]:duration:' '--min-lsn[position]:lsn:' '--sql[statement]:sql:' ;;
        backup) _arguments $global '*--on[database]:database:_switchyard_databases' '--repository[folder]:folder:_files -/' \
          '*--recipient[public key of age]:key:' '--clear[not encrypted]' '--schema[this one alone]:schema:' '--whole[the whole database]' \
          '--jobs[at a time]:number:' '--no-checksums[count rows only]' '--prune[afterwards]' '1:word:(list prune keygen pgbackrest)' ;;
        restore) _arguments $global '--on[database]:database:_switchyard_databases' '--from[backup]:backup:' '--into[new database]:name:' \
          '--repository[folder]:folder:_files -/' '--extract[only decrypt]:file:_files' '--at[moment]:time:' \
          '--confirm[replace what is there]:database:_switchyard_databases' '--globals[roles first]' '--no-owner[owned by who restores]' \
          '--identity-file[secret key]:file:_files' ;;
        verify-backup) _arguments $global '*--on[database]:database:_switchyard_databases' '--repository[folder]:folder:_files -/' \
          '--identity-file[secret key]:file:_files' '1:backup:(latest)' ;;
        provision) _arguments $global '*--on[database]:database:_switchyard_databases' '--confirm[the application]:application:' \
            '--report[keeps the findings]:file:_files' '*--role[to rotate]:role:' '--finish[only what was begun]' '--for[how long]:time:' \
            '--statements[which]:statements:(all mod ddl)' '--off[end it]' '--detach[do not wait]' '--reconnect[end idle sessions]' \
            '1:what:(plan apply audit rotate logging)' ;;
        owners) _arguments $global '1:what:(explain)' ;;
        move|split) _arguments $global '1:what:(status follow confirm rollback abort)' '--from[database]:database:_switchyard_databases' \
          '--to[database]:database:_switchyard_databases' '--pause[of writers]:duration:' '--patience[for the switch]:duration:' \
          '--no-switch[stop before it]' '--no-verify[compare nothing]' ;;
        migrate) _arguments $global '*--on[database]:database:_switchyard_databases' '--target[nothing later]:version:' \
              '--out-of-order[older ones as well]' '*--placeholder[name=value]:placeholder:' \
              '1:what:(status new plan up validate repair baseline lint drift)' '*:file:_files' ;;
        completion) _arguments '1:shell:(bash zsh fish)' ;;
      esac ;;
  esac
}
compdef _switchyard switchyard
)sh";

constexpr std::string_view kFish = R"sh(# switchyard completion for fish
complete -c switchyard -f
complete -c switchyard -n __fish_use_subcommand -a up -d 'start everything'
complete -c switchyard -n __fish_use_subcommand -a gateway -d 'let PostgreSQL clients in'
complete -c switchyard -n __fish_use_subcommand -a down -d 'stop what up --detach started'
complete -c switchyard -n __fish_use_subcommand -a status -d 'databases, endpoints, pools'
complete -c switchyard -n __fish_use_subcommand -a events -d 'what happened lately'
complete -c switchyard -n __fish_use_subcommand -a query -d 'run a statement'
complete -c switchyard -n __fish_use_subcommand -a shell -d 'psql on the right endpoint'
complete -c switchyard -n __fish_use_subcommand -a config -d 'explain every setting'
complete -c switchyard -n __fish_use_subcommand -a route -d 'where a statement would go'
complete -c switchyard -n '__fish_seen_subcommand_from route' -a explain
complete -c switchyard -n __fish_use_subcommand -a sql -d 'what a statement is'
complete -c switchyard -n '__fish_seen_subcommand_from sql' -a explain
complete -c switchyard -n '__fish_seen_subcommand_from route' -l read -d 'of a read view'
complete -c switchyard -n '__fish_seen_subcommand_from route' -l replica -x -d 'name or purpose'
complete -c switchyard -n '__fish_seen_subcommand_from route' -l max-lag -x -d 'age of rows'
complete -c switchyard -n '__fish_seen_subcommand_from route' -l min-lsn -x -d 'position'
complete -c switchyard -n '__fish_seen_subcommand_from route' -l sql -x -d 'statement'
complete -c switchyard -n __fish_use_subcommand -a doctor -d 'find what is wrong'
complete -c switchyard -n __fish_use_subcommand -a health -d 'does each database serve?'
complete -c switchyard -n __fish_use_subcommand -a breaker -d 'circuit breakers'
complete -c switchyard -n __fish_use_subcommand -a move -d 'live tables to another database'
complete -c switchyard -n __fish_use_subcommand -a split -d 'a schema to a server of its own'
complete -c switchyard -n '__fish_seen_subcommand_from move split' -a 'status follow confirm rollback abort'
complete -c switchyard -n '__fish_seen_subcommand_from move split' -l from -x -a '(switchyard --quiet database-names 2>/dev/null)'
complete -c switchyard -n '__fish_seen_subcommand_from move split' -l to -x -a '(switchyard --quiet database-names 2>/dev/null)'
complete -c switchyard -n '__fish_seen_subcommand_from move split' -l no-switch -d 'stop before it'
complete -c switchyard -n __fish_use_subcommand -a owners -d 'which database a table belongs to'
complete -c switchyard -n '__fish_seen_subcommand_from owners' -a explain
complete -c switchyard -n __fish_use_subcommand -a migrate -d 'schemas of all databases'
complete -c switchyard -n __fish_use_subcommand -a provision -d 'databases, schemas and roles of the servers'
complete -c switchyard -n '__fish_seen_subcommand_from provision' -a 'plan apply audit rotate logging'
complete -c switchyard -n '__fish_seen_subcommand_from provision' -l confirm -x -d 'the application: also what takes away'
complete -c switchyard -n '__fish_seen_subcommand_from provision' -l report -r -d 'folder or file of dated findings'
complete -c switchyard -n '__fish_seen_subcommand_from provision' -l role -x -d 'role to rotate'
complete -c switchyard -n '__fish_seen_subcommand_from provision' -l finish -d 'only what was begun'
complete -c switchyard -n '__fish_seen_subcommand_from migrate' -a 'status new plan up validate repair baseline lint drift'
complete -c switchyard -n '__fish_seen_subcommand_from migrate' -l target -x -d 'nothing later than this version'
complete -c switchyard -n '__fish_seen_subcommand_from migrate' -l out-of-order -d 'older ones as well'
complete -c switchyard -n '__fish_seen_subcommand_from migrate' -l placeholder -x -d 'name=value'
complete -c switchyard -n __fish_use_subcommand -a backup -d 'dumps of all databases'
complete -c switchyard -n __fish_use_subcommand -a restore -d 'bring a database back'
complete -c switchyard -n __fish_use_subcommand -a verify-backup -d 'prove a backup'
complete -c switchyard -n '__fish_seen_subcommand_from backup' -a 'list prune keygen pgbackrest'
complete -c switchyard -n '__fish_seen_subcommand_from backup' -l recipient -x -d 'public key of age'
complete -c switchyard -n '__fish_seen_subcommand_from backup' -l schema -x -d 'this one alone'
complete -c switchyard -n '__fish_seen_subcommand_from backup' -l prune -d 'afterwards'
complete -c switchyard -n '__fish_seen_subcommand_from restore' -l from -x -d 'backup'
complete -c switchyard -n '__fish_seen_subcommand_from restore' -l into -x -d 'new database'
complete -c switchyard -n '__fish_seen_subcommand_from restore' -l extract -r -d 'only decrypt'
complete -c switchyard -n '__fish_seen_subcommand_from restore' -l at -x -d 'moment'
complete -c switchyard -n '__fish_seen_subcommand_from restore' -l confirm -x -d 'replace what is there'
complete -c switchyard -n '__fish_seen_subcommand_from backup restore verify-backup' -l repository -r -d 'folder'
complete -c switchyard -n '__fish_seen_subcommand_from restore verify-backup' -l identity-file -r -d 'secret key'
complete -c switchyard -n __fish_use_subcommand -a completion -d 'print a completion script'
complete -c switchyard -n __fish_use_subcommand -a version -d 'print the version'
complete -c switchyard -n __fish_use_subcommand -a help -d 'explain a command'
complete -c switchyard -n '__fish_seen_subcommand_from config' -a explain
complete -c switchyard -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'
complete -c switchyard -n '__fish_seen_subcommand_from query shell route sql doctor health breaker migrate backup restore verify-backup provision' -l on -x -a '(switchyard --quiet database-names 2>/dev/null)' -d 'database'
complete -c switchyard -n '__fish_seen_subcommand_from breaker' -a 'open close reset'
complete -c switchyard -n '__fish_seen_subcommand_from breaker' -l replica -x -d 'of this replica'
complete -c switchyard -n '__fish_seen_subcommand_from breaker' -l access -x -a 'read write'
complete -c switchyard -n '__fish_seen_subcommand_from query' -l read -d 'a replica may answer'
complete -c switchyard -n '__fish_seen_subcommand_from query' -l csv -d 'rows as CSV'
complete -c switchyard -n '__fish_seen_subcommand_from query down' -l timeout -x
complete -c switchyard -n '__fish_seen_subcommand_from up' -s d -l detach -d 'go to the background'
complete -c switchyard -n '__fish_seen_subcommand_from up' -l persist -r -d 'keep data in a folder'
complete -c switchyard -n '__fish_seen_subcommand_from up gateway' -l http -x -a auto -d 'address of the HTTP door'
complete -c switchyard -n '__fish_seen_subcommand_from up' -l gateway -x -a 'auto off' -d 'where PostgreSQL clients connect'
complete -c switchyard -n '__fish_seen_subcommand_from gateway' -l listen -x -a auto -d 'where clients connect'
complete -c switchyard -n '__fish_seen_subcommand_from gateway' -l pgbouncer-ini -r -d 'configuration of PgBouncer'
complete -c switchyard -n '__fish_seen_subcommand_from gateway' -l shards -x -d 'threads that serve clients'
complete -c switchyard -n '__fish_seen_subcommand_from gateway' -l takeover -d 'from the one that runs'
complete -c switchyard -n '__fish_seen_subcommand_from up' -l no-private -d 'start no private servers'
complete -c switchyard -n '__fish_seen_subcommand_from status' -s w -l watch -d 'again and again'
complete -c switchyard -n '__fish_seen_subcommand_from events' -s f -l follow -d 'and what happens from now on'
complete -c switchyard -n '__fish_seen_subcommand_from config' -s a -l all -d 'defaults as well'
complete -c switchyard -s c -l config -r -d 'fleet file'
complete -c switchyard -l env-file -r -d 'variables'
complete -c switchyard -l set -x -d 'key=value'
complete -c switchyard -l application -x -d 'which running fleet'
complete -c switchyard -l json -d 'data as JSON'
complete -c switchyard -l no-color -d 'no colours'
complete -c switchyard -s q -l quiet -d 'no messages'
complete -c switchyard -s v -l verbose -d 'more messages'
complete -c switchyard -s h -l help -d 'help'
)sh";

constexpr std::array<std::string_view, 3> kShells{"bash", "zsh", "fish"};

}  // namespace

ExitCode run_completion(const CompletionOptions& options, const Console& console) {
  if (options.shell == "bash") {
    console.print(kBash);
  } else if (options.shell == "zsh") {
    console.print(kZsh);
  } else if (options.shell == "fish") {
    console.print(kFish);
  } else {
    const std::string close = did_you_mean(options.shell, kShells);
    console.complain("no completion for the shell '" + options.shell + "'",
                     close.empty() ? "bash, zsh or fish" : close);
    return ExitCode::usage;
  }
  return ExitCode::ok;
}

}  // namespace switchyard::cli
