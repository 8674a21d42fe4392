// What clients on the wire ask, and how they misbehave.
#include "site.hpp"
#include "wire_caller.hpp"

#include <array>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace soak {
namespace {

using namespace std::chrono_literals;

constexpr const char* kPoint = "SELECT $1::text, body FROM items WHERE id = $2::int";
constexpr int kTexts = 4;  // of one name, so that two clients mean different things by it

std::string text_of(int which) {
  return "SELECT $1::text, body, " + std::to_string(which) + " FROM items WHERE id = $2::int";
}

int any_item(WireCaller& me) { return 1 + me.below(kItems); }

std::vector<std::string> arguments(WireCaller& me, int item) { return {me.tag(), std::to_string(item)}; }

// Reads.

void simple_read(WireCaller& me) {
  const int item = any_item(me);
  const auto row = me.row("SELECT " + me.quoted_tag() + ", body FROM items WHERE id = " + std::to_string(item));
  me.require(row[1] == body_of(item), "another row", row[1].value_or("NULL"));
}

void unnamed_read(WireCaller& me) {
  const int item = any_item(me);
  me.client().parse("", kPoint).bind("", "", arguments(me, item));
  if (me.percent(50)) me.client().describe('P', "");
  const auto row = me.tagged(me.client().execute("").sync().ask());
  me.require(row[1] == body_of(item), "another row", row[1].value_or("NULL"));
}

/// Five names, each with one of several texts: the text is this client's.
void named_read(WireCaller& me) {
  const std::string name = "s" + std::to_string(me.below(5));
  auto& prepared = me.model().prepared;
  const int item = any_item(me);
  const bool again = prepared.contains(name) && me.percent(10);
  if (again) me.client().close('S', name);
  int which = 0;
  const bool is_new = again || !prepared.contains(name);
  if (is_new) {
    which = me.below(kTexts);
    me.client().parse(name, text_of(which));
  } else {
    which = prepared.at(name);
  }
  if (me.percent(20)) me.client().describe('S', name);
  const auto row = me.tagged(me.client().bind("", name, arguments(me, item)).execute("").sync().ask());
  prepared[name] = which;
  me.require(row[1] == body_of(item), "another row", row[1].value_or("NULL"));
  me.require(row[2] == std::to_string(which), "another statement of that name", row[2].value_or("NULL"));
}

void sql_prepared(WireCaller& me) {
  const std::string name = "p" + std::to_string(me.below(3));
  auto& remembered = me.model().remembered;
  if (!remembered.contains(name)) {
    const int which = me.below(kTexts);
    (void)me.run("PREPARE " + name + " (text) AS SELECT $1, " + std::to_string(which));
    remembered[name] = which;
  }
  const auto row = me.row("EXECUTE " + name + "(" + me.quoted_tag() + ")");
  me.require(row[1] == std::to_string(remembered[name]), "another statement of that name", row[1].value_or("NULL"));
  if (me.percent(20)) {
    (void)me.run("DEALLOCATE " + name);
    remembered.erase(name);
  }
}

void altered_read(WireCaller& me) {
  me.expect_ddl();
  const std::string item = std::to_string(any_item(me));
  const std::vector<std::string> values{me.tag(), item};
  const auto row = me.tagged(me.client()
                                 .parse("", "SELECT $1::text, * FROM altered WHERE id = $2::int")
                                 .bind("", "", values)
                                 .describe('P', "")
                                 .execute("")
                                 .sync()
                                 .ask());
  me.require(row[1] == item, "another row", row[1].value_or("NULL"));
}

void large_answer(WireCaller& me) {
  const int rows = 200 + me.below(3000);
  me.client().be_slow(me.percent(20));
  const Answer answer = me.client()
                            .query("SELECT " + me.quoted_tag() + ", i, repeat('x', 300) FROM generate_series(1, " +
                                   std::to_string(rows) + ") i")
                            .ask();
  me.client().be_slow(false);
  (void)me.right(answer);
  me.require(answer.rows.size() == static_cast<std::size_t>(rows), "another number of rows",
             std::to_string(answer.rows.size()));
  int next = 0;
  for (const auto& row : answer.rows) {
    me.require(row[0] == me.tag() && row[1] == std::to_string(++next), "a row that is not its own",
               row[0].value_or("NULL"));
  }
}

void error_of_its_own(WireCaller& me) {
  const Answer answer = me.client().query("SELECT " + me.quoted_tag() + "::int").ask();
  if (answer.sqlstate != "22P02") throw Refused(answer.sqlstate, answer.message);
  me.require(answer.message.find("\"" + me.tag() + "\"") != std::string::npos, "an error of somebody else",
             answer.message);
}

// Pipelines.

void pipeline(WireCaller& me) {
  const int count = 2 + me.below(8);
  std::vector<int> groups{0};
  for (int i = 0; i < count; ++i) {
    const std::vector<std::string> values{me.tag() + "/" + std::to_string(i)};
    me.client().parse("", "SELECT $1::text").bind("", "", values).execute("");
    ++groups.back();
    if (i + 1 == count || me.percent(30)) {
      me.client().sync();
      if (i + 1 < count) groups.push_back(0);
    }
  }
  me.client().send();
  int next = 0;
  std::string sqlstate, message;
  for (const int size : groups) {
    const Answer answer = me.client().receive();
    if (!answer.sqlstate.empty()) {
      sqlstate = answer.sqlstate;
      message = answer.message;
      next += size;
      continue;
    }
    me.require(answer.rows.size() == static_cast<std::size_t>(size), "another number of rows",
               std::to_string(answer.rows.size()));
    for (const auto& row : answer.rows) {
      me.require(row[0] == me.tag() + "/" + std::to_string(next++), "an answer out of its place",
                 row[0].value_or("NULL"));
    }
  }
  if (!sqlstate.empty()) throw Refused(sqlstate, message);
}

/// What stands behind an error is not answered, what stands in front of it is; and the next group is as new. The
/// division fails when it is planned, at Bind.
void failing_pipeline(WireCaller& me) {
  const std::vector<std::string> own{me.tag()}, zero{"0"};
  const Answer answer = me.client()
                            .parse("", "SELECT $1::text")
                            .bind("", "", own)
                            .execute("")
                            .parse("", "SELECT 1 / $1::int")
                            .bind("", "", zero)
                            .execute("")
                            .parse("never", "SELECT 'never'")
                            .bind("", "never", {})
                            .execute("")
                            .sync()
                            .ask();
  if (answer.sqlstate != "22012") throw Refused(answer.sqlstate, answer.message);
  me.require(answer.order == "12DC1EZ", "messages in another order", answer.order);
  me.require(answer.rows.at(0).at(0) == me.tag(), "another tag than its own", answer.rows[0][0].value_or("NULL"));
  const Answer unknown = me.client().bind("", "never", {}).execute("").sync().ask();
  if (unknown.sqlstate != "26000") throw Refused(unknown.sqlstate, "never: " + unknown.message);
  simple_read(me);
}

void in_portions(WireCaller& me) {
  const std::vector<std::string> own{me.tag()};
  const Answer answer = me.client()
                            .parse("", "SELECT $1::text, i FROM generate_series(1, 5) i")
                            .bind("p", "", own)
                            .execute("p", 2)
                            .execute("p", 2)
                            .execute("p", 2)
                            .sync()
                            .ask();
  (void)me.right(answer);
  me.require(answer.order == "12DDsDDsDCZ", "messages in another order", answer.order);
  for (const auto& row : answer.rows) me.require(row[0] == me.tag(), "another tag than its own");
}

// What belongs to the session.

void setting(WireCaller& me) {
  auto& settings = me.model().settings;
  const std::string memory = std::to_string(100 + me.below(900)) + "kB";
  switch (me.below(7)) {
    case 0:
      (void)me.run("SET work_mem = '" + memory + "'");
      settings["work_mem"] = memory;
      break;
    case 1:
      (void)me.run("SET application_name = " + me.quoted_tag());
      settings["application_name"] = me.tag();
      break;
    case 2:
      (void)me.run("RESET work_mem");
      settings["work_mem"] = first_settings()["work_mem"];
      break;
    case 3: (void)me.run("BEGIN; SET work_mem = '" + memory + "'; ROLLBACK"); break;
    case 4: (void)me.run("BEGIN; SET LOCAL work_mem = '" + memory + "'; COMMIT"); break;
    case 5:
      (void)me.run("SELECT set_config('work_mem', '" + memory + "', false)");
      settings["work_mem"] = memory;
      break;
    default: break;
  }
  const auto row =
      me.row("SELECT " + me.quoted_tag() + ", current_setting('work_mem'), current_setting('application_name')");
  me.require(row[1] == settings["work_mem"], "another setting than " + settings["work_mem"],
             row[1].value_or("NULL"));
  me.require(row[2] == settings["application_name"], "another setting than " + settings["application_name"],
             row[2].value_or("NULL"));
}

void role(WireCaller& me) {
  (void)me.run(std::string("SET ROLE ") + kOtherRole);
  const auto row = me.row("SELECT " + me.quoted_tag() + ", current_user");
  me.require(row[1] == kOtherRole, "another role than its own", row[1].value_or("NULL"));
  (void)me.run("RESET ROLE");
}

void temporary_table(WireCaller& me) {
  auto& temporary = me.model().temporary;
  if (!temporary) {
    (void)me.run("CREATE TEMP TABLE scratch AS SELECT " + me.quoted_tag() + "::text AS tag");
    temporary = me.tag();
  }
  const auto row = me.row("SELECT " + me.quoted_tag() + ", tag FROM scratch");
  me.require(row[1] == *temporary, "another temporary table than its own", row[1].value_or("NULL"));
  if (me.percent(50)) {
    (void)me.run("DROP TABLE scratch");
    temporary.reset();
  }
}

/// Nobody else asks for these locks.
void advisory_lock(WireCaller& me) {
  auto& locks = me.model().locks;
  const int key = me.below(3);
  const std::string words = "(" + std::to_string(me.id()) + ", " + std::to_string(me.generation() * 3 + key) + ")";
  if (locks.contains(key)) {
    const auto row = me.row("SELECT " + me.quoted_tag() + ", pg_advisory_unlock" + words);
    me.require(row[1] == "t", "a lock of its own is gone");
    locks.erase(key);
  } else {
    const auto row = me.row("SELECT " + me.quoted_tag() + ", pg_try_advisory_lock" + words);
    me.require(row[1] == "t", "somebody holds its lock");
    locks.insert(key);
  }
}

void notification(WireCaller& me) {
  bool& listening = me.model().listening;
  if (!listening) {
    (void)me.run("LISTEN " + me.channel());
    listening = true;
  }
  (void)me.run("NOTIFY " + me.channel() + ", " + me.quoted_tag());
  const WireNotification heard = me.client().hear();
  me.require(heard.channel == me.channel() && heard.payload == me.tag(), "heard what was not for it",
             heard.channel + " " + heard.payload);
  if (me.percent(30)) {
    (void)me.run("UNLISTEN " + me.channel());
    listening = false;
  }
}

void discard_all(WireCaller& me) {
  (void)me.run("DISCARD ALL");
  me.model() = {};
  me.model().settings = first_settings();
  setting(me);
}

void held_cursor(WireCaller& me) {
  (void)me.run("BEGIN; DECLARE held CURSOR WITH HOLD FOR SELECT " + me.quoted_tag() + "; COMMIT");
  (void)me.row("FETCH 1 FROM held");
  (void)me.run("CLOSE held");
}

// Writes and transactions.

void update_own(WireCaller& me) {
  me.writing(me.tag());
  (void)me.row("UPDATE counters SET tag = " + me.quoted_tag() +
               ", n = n + 1 WHERE id = " + std::to_string(me.id()) + " RETURNING tag");
  me.wrote(me.tag());
  const auto row =
      me.row("SELECT " + me.quoted_tag() + ", tag FROM counters WHERE id = " + std::to_string(me.id()));
  me.require_own(row[1].value_or(""));
}

void transaction(WireCaller& me) {
  const std::string own = std::to_string(me.id());
  (void)me.run("BEGIN");
  const bool commits = me.percent(60);
  if (commits) me.writing(me.tag());
  (void)me.tagged(
      me.client()
          .query("UPDATE counters SET tag = " + me.quoted_tag() + " WHERE id = " + own + " RETURNING tag")
          .ask(),
      'T');
  if (me.percent(40)) {
    (void)me.run("SAVEPOINT s");
    const Answer failed =
        me.client().query("UPDATE counters SET tag = 'wrong' WHERE id = " + own + "; SELECT 1 / 0").ask();
    if (failed.sqlstate != "22012") throw Refused(failed.sqlstate, failed.message);
    me.require(failed.status == 'E', "a transaction that failed is not said to have");
    (void)me.run("ROLLBACK TO s");
  }
  (void)me.tagged(me.client().query("SELECT tag FROM counters WHERE id = " + own).ask(), 'T');
  if (me.percent(20)) std::this_thread::sleep_for(std::chrono::milliseconds(me.below(5)));
  const Answer ended = me.run(commits ? "COMMIT" : "ROLLBACK");
  me.require(ended.tags == std::vector<std::string>{commits ? "COMMIT" : "ROLLBACK"}, "ended another way");
  if (commits) me.wrote(me.tag());
}

/// The group is one transaction.
void pieces_in_a_group(WireCaller& me) {
  for (int part = 1; part <= 3; ++part) {
    const std::vector<std::string> values{me.tag(), std::to_string(part)};
    me.client().parse("", "INSERT INTO pieces VALUES ($1, $2::int, 3)").bind("", "", values).execute("");
  }
  const bool fails = me.percent(30);
  const std::vector<std::string> zero{"0"};
  if (fails) me.client().parse("", "SELECT 1 / $1::int").bind("", "", zero).execute("");
  const Answer answer = me.client().sync().ask();
  if (fails) {
    if (answer.sqlstate != "22012") throw Refused(answer.sqlstate, answer.message);
  } else {
    (void)me.right(answer);
    me.keep(me.tag());
  }
}

void copy_in(WireCaller& me) {
  me.client().query("COPY pieces FROM STDIN").send();
  for (int part = 1; part <= 3; ++part) me.client().copy_data(me.tag() + "\t" + std::to_string(part) + "\t3\n");
  const Answer answer = me.client().copy_done().ask();
  (void)me.right(answer);
  me.keep(me.tag());
  const Answer out =
      me.client().query("COPY (SELECT tag FROM pieces WHERE tag = " + me.quoted_tag() + ") TO STDOUT").ask();
  (void)me.right(out);
  me.require(out.copied == me.tag() + "\n" + me.tag() + "\n" + me.tag() + "\n", "other rows than its own",
             out.copied);
}

// Cancelling and leaving.

/// The request may come too late; what comes after it is not hit.
void cancelled(WireCaller& me) {
  me.client().query("SELECT " + me.quoted_tag() + ", pg_sleep(0.0" + std::to_string(me.below(4)) + ")").send();
  std::this_thread::sleep_for(std::chrono::microseconds(me.below(30'000)));
  me.client().cancel();
  const Answer answer = me.client().receive();
  if (answer.sqlstate != "57014") (void)me.tagged(answer);
  simple_read(me);
}

void leaves_with_a_goodbye(WireCaller& me) {
  me.client().terminate().send();
  me.leave();
}

void leaves_without_reading(WireCaller& me) {
  me.client().query("SELECT " + me.quoted_tag() + ", i FROM generate_series(1, 5000) i").send();
  if (me.percent(50)) std::this_thread::sleep_for(std::chrono::microseconds(me.below(3000)));
  me.leave();
}

void leaves_in_a_message(WireCaller& me) {
  me.client()
      .parse("", kPoint)
      .bind("", "", arguments(me, 1))
      .execute("")
      .sync()
      .send(static_cast<std::size_t>(1 + me.below(60)));
  me.leave();
}

/// One piece of two, never committed.
void leaves_in_a_transaction(WireCaller& me) {
  const std::vector<std::string> values{me.tag()};
  if (me.percent(50)) {
    (void)me.run("BEGIN");
    (void)me.run("INSERT INTO pieces VALUES (" + me.quoted_tag() + ", 1, 2)");
  } else {
    me.client().parse("", "INSERT INTO pieces VALUES ($1, 1, 2)").bind("", "", values).execute("").flush().send();
    if (me.percent(50)) std::this_thread::sleep_for(std::chrono::microseconds(me.below(3000)));
  }
  me.leave();
}

void leaves_in_a_copy(WireCaller& me) {
  me.client().query("COPY pieces FROM STDIN").copy_data(me.tag() + "\t1\t2\n").send();
  if (me.percent(50)) std::this_thread::sleep_for(std::chrono::microseconds(me.below(3000)));
  me.leave();
}

constexpr std::array<WireShape, 27> kShapes{{{"simple read", 14, simple_read},
                                             {"unnamed read", 14, unnamed_read},
                                             {"named read", 16, named_read},
                                             {"SQL's PREPARE", 4, sql_prepared},
                                             {"read under DDL", 6, altered_read},
                                             {"large answer", 2, large_answer},
                                             {"error of its own", 4, error_of_its_own},
                                             {"pipeline", 6, pipeline},
                                             {"failing pipeline", 5, failing_pipeline},
                                             {"in portions", 4, in_portions},
                                             {"setting", 8, setting},
                                             {"role", 2, role},
                                             {"temporary table", 6, temporary_table, true},
                                             {"advisory lock", 2, advisory_lock},
                                             {"notification", 2, notification},
                                             {"DISCARD ALL", 6, discard_all, true},
                                             {"held cursor", 2, held_cursor},
                                             {"update own", 5, update_own},
                                             {"transaction", 6, transaction},
                                             {"pieces in a group", 4, pieces_in_a_group},
                                             {"COPY", 3, copy_in},
                                             {"cancelled", 3, cancelled},
                                             {"leaves with a goodbye", 2, leaves_with_a_goodbye},
                                             {"leaves without reading", 1, leaves_without_reading},
                                             {"leaves in a message", 1, leaves_in_a_message},
                                             {"leaves in a transaction", 2, leaves_in_a_transaction},
                                             {"leaves in a COPY", 1, leaves_in_a_copy}}};

}  // namespace

std::span<const WireShape> wire_shapes() { return kShapes; }

}  // namespace soak
