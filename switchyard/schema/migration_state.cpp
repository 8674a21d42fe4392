#include <switchyard/schema/migration_state.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace switchyard::inline v0::schema {

namespace {

using scripts::MigrationVersion;

std::optional<MigrationVersion> version_of(const HistoryRow& row) {
  if (!row.version) return std::nullopt;
  auto version = MigrationVersion::parse(*row.version);
  if (!version.ok()) return std::nullopt;
  return std::move(*version);
}

bool is_sql(const HistoryRow& row) { return row.type == "SQL" || row.type == "SQL_BASELINE"; }

/// What the whole history and all files say.
struct Context {
  std::optional<MigrationVersion> baseline, last_applied, last_file;
  std::map<std::string, std::int32_t, std::less<>> last_run;  ///< of repeatable ones, by description: the rank
  std::set<std::int32_t> deleted, out_of_order;               ///< ranks
};

Context look(const MigrationSet& set, const std::vector<HistoryRow>& history) {
  Context context;
  std::vector<std::pair<MigrationVersion, std::int32_t>> alive;
  for (const HistoryRow& row : history) {
    const auto version = version_of(row);
    if (!version) {
      if (row.type != "SCHEMA") context.last_run[row.description] = row.installed_rank;
      continue;
    }
    if (row.type == "DELETE" || row.type.starts_with("UNDO")) {
      for (const auto& [older, rank] : alive) {
        if (older == *version) context.deleted.insert(rank);
      }
      std::erase_if(alive, [&](const auto& one) { return one.first == *version; });
      context.deleted.insert(row.installed_rank);
      continue;
    }
    if (row.type == "BASELINE" || row.type == "SQL_BASELINE") context.baseline = version;
    const bool late = std::ranges::any_of(alive, [&](const auto& one) { return one.first > *version; });
    if (late) context.out_of_order.insert(row.installed_rank);
    alive.emplace_back(*version, row.installed_rank);
  }
  for (const auto& [version, rank] : alive) {
    if (!context.last_applied || version > *context.last_applied) context.last_applied = version;
  }
  for (const auto* files : {&set.versioned, &set.baselines}) {
    for (const Migration& one : *files) {
      if (!context.last_file || *one.name.version > *context.last_file) context.last_file = *one.name.version;
    }
  }
  return context;
}

MigrationState state_of_applied(const HistoryRow& row, const Migration* file, const Context& context) {
  using enum MigrationState;
  if (context.deleted.contains(row.installed_rank)) return deleted;
  if (row.type == "BASELINE") return baseline;
  if (row.type == "SCHEMA") return success;
  const auto version = version_of(row);
  const bool latest = version || context.last_run.find(row.description)->second == row.installed_rank;
  if (file == nullptr && latest) {
    const bool newer = version && context.last_file && *version > *context.last_file;
    if (newer || (version && !context.last_file)) return row.success ? future : future_failed;
    return row.success ? missing : missing_failed;
  }
  if (!row.success) return row.unfinished() ? unfinished : failed;
  if (!version) {
    if (!latest) return superseded;
    return row.checksum == file->checksum ? success : outdated;
  }
  return context.out_of_order.contains(row.installed_rank) ? out_of_order : success;
}

MigrationState state_of_pending(const Migration& file, const Context& context, const StateOptions& options) {
  using enum MigrationState;
  if (!file.name.version) return pending;
  const MigrationVersion& version = *file.name.version;
  if (context.baseline && version < *context.baseline) return below_baseline;
  if (options.target && version > *options.target) return above_target;
  if (!options.out_of_order && context.last_applied && version < *context.last_applied) return ignored;
  return pending;
}

bool matches(const StateOptions& options, const MigrationInfo& info, std::string_view state) {
  const std::string_view type = info.version().empty() ? "repeatable" : "versioned";
  return std::ranges::any_of(options.ignore_patterns, [&](std::string_view pattern) {
    const std::size_t colon = std::min(pattern.find(':'), pattern.size());
    const std::string_view wanted_type = pattern.substr(0, colon);
    const std::string_view wanted_state = colon < pattern.size() ? pattern.substr(colon + 1) : "*";
    return (wanted_type == "*" || wanted_type == type) && (wanted_state == "*" || wanted_state == state);
  });
}

std::string name_of(const MigrationInfo& info) {
  const std::string version = info.version();
  return version.empty() ? "repeatable migration '" + info.description() + "'"
                         : "version " + version + " (" + info.script() + ")";
}

}  // namespace

std::string_view to_string(MigrationState state) noexcept {
  using enum MigrationState;
  switch (state) {
    case pending: return "Pending";
    case above_target: return "Above Target";
    case below_baseline: return "Below Baseline";
    case baseline_ignored: return "Ignored (Baseline)";
    case ignored: return "Ignored";
    case success: return "Success";
    case out_of_order: return "Out of Order";
    case baseline: return "Baseline";
    case missing: return "Missing";
    case missing_failed: return "Failed (Missing)";
    case future: return "Future";
    case future_failed: return "Failed (Future)";
    case failed: return "Failed";
    case unfinished: return "Unfinished";
    case outdated: return "Outdated";
    case superseded: return "Superseded";
    case deleted: return "Deleted";
  }
  return "";
}

std::string MigrationInfo::version() const {
  if (file != nullptr && file->name.version) return file->name.version->text();
  return applied != nullptr ? applied->version.value_or("") : "";
}
std::string MigrationInfo::description() const {
  return file != nullptr ? file->name.description : applied->description;
}
std::string MigrationInfo::script() const { return file != nullptr ? file->script : applied->script; }

std::vector<MigrationInfo> states_of(const MigrationSet& set, const std::vector<HistoryRow>& history,
                                     const StateOptions& options) {
  const Context context = look(set, history);
  std::vector<MigrationInfo> infos;
  std::set<const Migration*> applied_files;
  for (const HistoryRow& row : history) {
    const auto version = version_of(row);
    const Migration* file = nullptr;
    if (version && row.type != "DELETE") {
      const auto& files = row.type == "SQL_BASELINE" ? set.baselines : set.versioned;
      const auto at = std::ranges::lower_bound(
          files, *version, {}, [](const Migration& one) -> const auto& { return *one.name.version; });
      if (at != files.end() && *at->name.version == *version) file = &*at;
    } else if (!version && row.type != "SCHEMA") {
      const auto at = std::ranges::find(set.repeatable, row.description,
                                        [](const Migration& one) -> const auto& { return one.name.description; });
      if (at != set.repeatable.end()) file = &*at;
    }
    const MigrationState state = state_of_applied(row, file, context);
    if (file != nullptr && state != MigrationState::deleted) applied_files.insert(file);
    infos.push_back({state, file, &row});
  }
  // A B script stands for everything up to its version, on a database that has no history yet.
  const bool fresh = std::ranges::all_of(history, [](const HistoryRow& row) { return row.type == "SCHEMA"; });
  const Migration* start = nullptr;
  for (const Migration& one : set.baselines) {
    if (fresh && (!options.target || *one.name.version <= *options.target)) start = &one;
  }
  for (const Migration& one : set.baselines) {
    if (applied_files.contains(&one)) continue;
    infos.push_back({&one == start ? MigrationState::pending : MigrationState::baseline_ignored, &one, nullptr});
  }
  for (const Migration& one : set.versioned) {
    if (applied_files.contains(&one)) continue;
    MigrationState state = state_of_pending(one, context, options);
    const bool covered = start != nullptr && *one.name.version <= *start->name.version;
    const bool at_baseline = context.baseline && *one.name.version == *context.baseline;
    if (covered || at_baseline) state = MigrationState::below_baseline;
    infos.push_back({state, &one, nullptr});
  }
  for (const Migration& one : set.repeatable) {
    if (!applied_files.contains(&one)) infos.push_back({MigrationState::pending, &one, nullptr});
  }
  return infos;
}

std::vector<std::string> problems_of(const std::vector<MigrationInfo>& infos, const StateOptions& options,
                                     bool pending_is_wrong) {
  std::vector<std::string> problems;
  for (const MigrationInfo& info : infos) {
    using enum MigrationState;
    const std::string name = name_of(info);
    switch (info.state) {
      case failed:
        problems.push_back(name + " failed: undo what it left half done, then switchyard migrate repair");
        continue;
      case unfinished:
        if (pending_is_wrong) problems.push_back(name + " is not finished: switchyard migrate up goes on with it");
        break;
      case future_failed:
      case missing_failed:
        problems.push_back(name + " failed, and there is no file for it: switchyard migrate repair");
        continue;
      case missing:
        if (!matches(options, info, "missing") && (info.applied->version || info.applied->type == "SQL")) {
          problems.push_back(name +
                             " was applied, and there is no file for it: bring the file back, or ignore it " +
                             "with --ignore '*:missing'");
        }
        continue;
      case future:
        if (!matches(options, info, "future")) {
          problems.push_back(name + " was applied by a newer release: there is no file for it");
        }
        continue;
      case ignored:
        if (!matches(options, info, "ignored")) {
          problems.push_back(name + " is not applied, and later versions are: --out-of-order runs it, --ignore " +
                             "'*:ignored' leaves it");
        }
        continue;
      case pending:
        if (pending_is_wrong && !matches(options, info, "pending")) problems.push_back(name + " is not applied");
        continue;
      case outdated:
        if (pending_is_wrong && !matches(options, info, "pending")) {
          problems.push_back(name + " has changed since it was run");
        }
        continue;
      default: break;
    }
    if (info.file == nullptr || info.applied == nullptr || !info.applied->version) continue;
    if (info.state == baseline || info.state == deleted) continue;
    if (!is_sql(*info.applied)) {
      problems.push_back(name + " was applied as " + info.applied->type +
                         ", the file is SQL: switchyard migrate repair");
    }
    if (info.applied->checksum && *info.applied->checksum != info.file->checksum) {
      problems.push_back(name + " has changed since it was applied (checksum " +
                         std::to_string(*info.applied->checksum) + ", now " + std::to_string(info.file->checksum) +
                         "): put the change into a new migration; if it means the same, switchyard migrate repair");
    }
    if (info.applied->description != info.file->name.description) {
      problems.push_back(name + " was applied as '" + info.applied->description +
                         "': give it its name back, or switchyard migrate repair");
    }
  }
  return problems;
}

std::vector<const MigrationInfo*> runnable(const std::vector<MigrationInfo>& infos) {
  std::vector<const MigrationInfo*> baselines, versioned, repeatable;
  for (const MigrationInfo& info : infos) {
    const bool runs = info.state == MigrationState::pending || info.state == MigrationState::unfinished ||
                      info.state == MigrationState::outdated;
    if (!runs || info.file == nullptr) continue;
    if (info.file->name.kind == scripts::FileKind::baseline) {
      baselines.push_back(&info);
    } else {
      (info.file->name.version ? versioned : repeatable).push_back(&info);
    }
  }
  std::ranges::sort(versioned, [](const MigrationInfo* a, const MigrationInfo* b) {
    return *a->file->name.version < *b->file->name.version;
  });
  std::ranges::sort(repeatable, {}, [](const MigrationInfo* one) { return one->file->name.description; });
  baselines.insert(baselines.end(), versioned.begin(), versioned.end());
  baselines.insert(baselines.end(), repeatable.begin(), repeatable.end());
  return baselines;
}

std::optional<scripts::MigrationVersion> current_version(const std::vector<HistoryRow>& history) {
  std::optional<MigrationVersion> current;
  for (const HistoryRow& row : history) {
    if (!row.success || row.type == "DELETE") continue;
    auto version = version_of(row);
    if (version && (!current || *version > *current)) current = std::move(version);
  }
  return current;
}

}  // namespace switchyard::inline v0::schema
