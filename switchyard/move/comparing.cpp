#include <switchyard/move/comparing.hpp>

#include <switchyard/move/repeating.hpp>
#include <switchyard/move/verify.hpp>

#include <string>
#include <utility>
#include <vector>

namespace switchyard::inline v0::move {

Task<void> compare(Run& run) {
  std::vector<TableReport> tables;
  co_await run.source().transaction(
      {.isolation = Isolation::repeatable_read, .access = Access::read_only},
      [&](Transaction& reader) -> Task<void> {
        const std::string moment = co_await current_snapshot(reader);
        // What was visible at that moment, and nothing else, is in the copy then.
        Lease log = co_await run.lease(run.from);
        if (!run.copy->position.window.empty())
          co_await repeat(run, log, run.target(), run.copy->position, &run.copy->copied, {});
        co_await repeat(run, log, run.target(), run.copy->position, &run.copy->copied, moment);
        co_await run.target().transaction({.isolation = Isolation::repeatable_read, .access = Access::read_only},
                                          [&](Transaction& other) -> Task<void> {
                                            for (const TablePlan& table : run.plan().tables) {
                                              if (!table.holds_rows()) continue;
                                              run.show({.step = "verify", .what = table.shown()});
                                              const TableSum left = co_await sum_table(reader, table);
                                              const TableSum right = co_await sum_table(other, table);
                                              if (left != right) throw difference(table, left, right);
                                              tables.push_back({table.shown(), left.rows, true});
                                            }
                                          });
      });
  run.report.tables = std::move(tables);
  co_await set_phase(run.source(), run.plan().tag, Phase::verified);
  run.record->phase = Phase::verified;
  run.step("verified");
}

}  // namespace switchyard::inline v0::move
