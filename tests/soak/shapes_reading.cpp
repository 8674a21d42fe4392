// Autocommit reads: what may share sessions, and what looks much like it.
#include "caller.hpp"
#include "site.hpp"

#include <array>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace soak {
namespace {

using namespace std::chrono_literals;

struct Item {
  std::string tag;
  int id;
  std::string body;
};

void check(const Caller& me, const Item& item, int id) {
  me.require_tag(item.tag);
  me.require(item.id == id && item.body == body_of(id), "another row than the one asked for",
             std::to_string(item.id) + " " + item.body);
}

/// Runs `body(querier)` on the primary, or where reads go.
template <class F>
sy::Task<void> somewhere(Caller& me, F body) {
  if (me.percent(50)) {
    sy::ReadView view = me.reads();
    co_await body(view);
  } else {
    sy::DatabaseHandle db = me.db();
    co_await body(db);
  }
}

sy::Task<void> item_from(Caller& me, const char* sql) {
  const int id = me.any_item();
  co_await somewhere(me, [&me, sql, id](auto& from) -> sy::Task<void> {
    check(me, co_await from.template query_one<Item>(me.statement(sql), me.tag(), id), id);
  });
}

sy::Task<void> point(Caller& me) {
  co_await item_from(me, "SELECT $1::text AS tag, id, body FROM items WHERE id = $2");
}

sy::Task<void> view(Caller& me) {
  me.expect_ddl();
  co_await item_from(me, "SELECT $1::text AS tag, id, body, version FROM seen WHERE id = $2");
}

/// A table of the same name comes and goes in a schema that is searched earlier.
sy::Task<void> shadowed(Caller& me) {
  me.expect_ddl();
  co_await item_from(me, "SELECT $1::text AS tag, id, body FROM places WHERE id = $2");
}

/// Held in ACCESS EXCLUSIVE mode now and then.
sy::Task<void> locked(Caller& me) {
  co_await item_from(me, "SELECT $1::text AS tag, id, body FROM lockable WHERE id = $2");
}

/// Columns come and go, and change their type.
sy::Task<void> altered(Caller& me) {
  struct Altered {
    std::string tag;
    int id;
    std::string body;
    std::int64_t amount;
  };
  me.expect_ddl();
  const int id = me.any_item();
  co_await somewhere(me, [&me, id](auto& from) -> sy::Task<void> {
    const auto row = co_await from.template query_one<Altered>(
        me.statement("SELECT $1::text AS tag, a.* FROM altered a WHERE id = $2"), me.tag(), id);
    check(me, {row.tag, row.id, row.body}, id);
    me.require(row.amount == id * 3, "another amount", std::to_string(row.amount));
  });
}

sy::Task<void> nothing(Caller& me) {
  co_await somewhere(me, [&me](auto& from) -> sy::Task<void> {
    const auto row = co_await from.template query_optional<Item>(
        me.statement("SELECT $1::text AS tag, id, body FROM items WHERE id = $2"), me.tag(), -me.any_item());
    me.require(!row, "a row where there is none", row ? row->tag : "");
  });
}

sy::Task<void> many_rows(Caller& me) {
  const int count = me.percent(3) ? 5000 : me.below(120);
  co_await somewhere(me, [&me, count](auto& from) -> sy::Task<void> {
    const auto rows = co_await from.template query<std::tuple<std::string, int>>(
        me.statement("SELECT $1::text, g FROM generate_series(1, $2::int) g"), me.tag(), count);
    me.require(static_cast<int>(rows.size()) == count, "another number of rows", std::to_string(rows.size()));
    for (int i = 0; i < count; ++i) {
      const auto& [tag, number] = rows[static_cast<std::size_t>(i)];
      me.require_tag(tag);
      me.require(number == i + 1, "rows out of order", std::to_string(number));
    }
  });
}

/// Longer than what is held back before it is handed on.
sy::Task<void> large_row(Caller& me) {
  const int times = 16'000 / static_cast<int>(me.tag().size()) + me.below(me.percent(2) ? 100'000 : 4'000);
  co_await somewhere(me, [&me, times](auto& from) -> sy::Task<void> {
    const auto text = co_await from.template query_value<std::string>(
        me.statement("SELECT repeat($1::text, $2::int)"), me.tag(), times);
    me.require(text.size() == me.tag().size() * static_cast<std::size_t>(times), "another length",
               std::to_string(text.size()));
    for (std::size_t at = 0; at < text.size(); at += me.tag().size()) {
      me.require_tag(std::string_view(text).substr(at, me.tag().size()));
    }
  });
}

sy::Task<void> nulls(Caller& me) {
  using RowType = std::tuple<std::string, std::optional<int>, std::optional<std::string>>;
  const bool null = me.percent(50);
  const std::optional<std::string> other = null ? std::nullopt : std::optional<std::string>(me.tag());
  co_await somewhere(me, [&me, other](auto& from) -> sy::Task<void> {
    const auto [tag, number, text] = co_await from.template query_one<RowType>(
        me.statement("SELECT $1::text, NULL::int, $2::text"), me.tag(), other);
    me.require_tag(tag);
    me.require(!number && text == other, "another NULL", text.value_or("NULL"));
  });
}

/// Rows without a type travel in other formats.
sy::Task<void> untyped(Caller& me) {
  const int id = me.any_item();
  co_await somewhere(me, [&me, id](auto& from) -> sy::Task<void> {
    const auto rows = co_await from.query(
        me.statement("SELECT $1::text AS tag, id, body, now() - now() AS age FROM items WHERE id = $2"), me.tag(),
        id);
    me.require(rows.size() == 1, "another number of rows", std::to_string(rows.size()));
    me.require_tag(rows[0].text("tag").value_or("NULL"));
    me.require(rows[0].text("body") == body_of(id), "another row", rows[0].to_json());
  });
}

/// Texts that differ in a constant: a mix-up of prepared statements shows.
sy::Task<void> variant(Caller& me) {
  const int which = me.below(40);
  const std::string sql = "SELECT $1::text, " + std::to_string(which);
  co_await somewhere(me, [&me, sql, which](auto& from) -> sy::Task<void> {
    const auto [tag, constant] =
        co_await from.template query_one<std::tuple<std::string, int>>(me.statement(sql), me.tag());
    me.require_tag(tag);
    me.require(constant == which, "the answer of another statement", std::to_string(constant));
  });
}

/// A text that nobody sends twice.
sy::Task<void> literal(Caller& me) {
  const std::string sql = "SELECT '" + me.tag() + "', $1::int";
  co_await somewhere(me, [&me, sql](auto& from) -> sy::Task<void> {
    const auto [tag, id] =
        co_await from.template query_one<std::tuple<std::string, int>>(me.statement(sql), me.id());
    me.require_tag(tag);
    me.require(id == me.id(), "another argument", std::to_string(id));
  });
}

void require_error(const Caller& me, const sy::Error& error, std::string_view sqlstate, std::string_view holds) {
  // What is not this error is judged as for any statement.
  if (error.sqlstate() != sqlstate) throw error;
  me.require(error.message().find(holds) != std::string_view::npos, "another caller's error", error.message());
}

sy::Task<void> division_by_zero(Caller& me) {
  const int divisor = me.below(3);
  co_await somewhere(me, [&me, divisor](auto& from) -> sy::Task<void> {
    const auto row = co_await from
                         .template query_one<std::tuple<std::string, int>>(
                             me.statement("SELECT $1::text, 12 / $2::int"), me.tag(), divisor)
                         .result();
    if (!row.ok()) {
      if (divisor != 0) throw row.error();
      require_error(me, row.error(), "22012", "division by zero");
      co_return;
    }
    me.require(divisor != 0, "no division by zero", std::get<0>(*row));
    me.require_tag(std::get<0>(*row));
    me.require(std::get<1>(*row) == 12 / divisor, "another quotient", std::to_string(std::get<1>(*row)));
  });
}

/// The message of the error holds the tag.
sy::Task<void> error_with_tag(Caller& me) {
  co_await somewhere(me, [&me](auto& from) -> sy::Task<void> {
    const auto value =
        co_await from.template query_value<int>(me.statement("SELECT CAST($1::text AS int)"), me.tag()).result();
    me.require(!value.ok(), "a number made of a tag");
    require_error(me, value.error(), "22P02", me.tag());
  });
}

/// The error comes behind rows.
sy::Task<void> error_after_rows(Caller& me) {
  const int at = 1 + me.below(300);
  co_await somewhere(me, [&me, at](auto& from) -> sy::Task<void> {
    const auto rows =
        co_await from
            .template query<std::tuple<std::string, int>>(
                me.statement("SELECT $1::text, 1000 / ($2::int - g) FROM generate_series(1, 300) g"), me.tag(), at)
            .result();
    me.require(!rows.ok(), "no division by zero");
    require_error(me, rows.error(), "22012", "division by zero");
  });
}

sy::Task<void> slow(Caller& me) {
  const double seconds = 0.001 * me.below(25);
  const auto limit = std::chrono::milliseconds(1 + me.below(40));
  me.limit();
  co_await somewhere(me, [&me, seconds, limit](auto& from) -> sy::Task<void> {
    const auto tag = co_await from.template query_value<std::string>(
        {.sql = "SELECT $1::text FROM pg_sleep($2::float8)", .timeout = limit}, me.tag(), seconds);
    me.require_tag(tag);
  });
}

/// Takes its time, and nothing in it says so.
sy::Task<void> heavy(Caller& me) {
  const int count = 20'000 + me.below(60'000);
  co_await somewhere(me, [&me, count](auto& from) -> sy::Task<void> {
    const auto [tag, counted] = co_await from.template query_one<std::tuple<std::string, std::int64_t>>(
        me.statement("SELECT $1::text, count(*) FROM generate_series(1, $2::int)"), me.tag(), count);
    me.require_tag(tag);
    me.require(counted == count, "another count", std::to_string(counted));
  });
}

sy::Task<void> stream(Caller& me) {
  const int count = me.below(3000);
  const int stop_at = me.percent(30) ? me.below(count + 1) : count;
  co_await somewhere(me, [&me, count, stop_at](auto& from) -> sy::Task<void> {
    auto rows = from.template stream<std::tuple<std::string, int>>(
        me.statement("SELECT $1::text, g FROM generate_series(1, $2::int) g"), me.tag(), count);
    int seen = 0;
    while (seen < stop_at) {
      const auto* row = co_await rows.next();
      me.require(row != nullptr, "the stream ended early", std::to_string(seen));
      me.require_tag(std::get<0>(*row));
      me.require(std::get<1>(*row) == ++seen, "rows out of order", std::to_string(std::get<1>(*row)));
    }
    if (stop_at == count) me.require(co_await rows.next() == nullptr, "more rows than there are");
  });
}

/// What a session must look like for whoever comes to it: nothing of what leases did.
sy::Task<void> session_as_new(Caller& me) {
  using RowType = std::tuple<std::string, std::optional<std::string>, std::string, std::string, bool, std::int64_t>;
  co_await somewhere(me, [&me](auto& from) -> sy::Task<void> {
    const auto [tag, setting, memory, user, temporary, prepared] = co_await from.template query_one<RowType>(
        me.statement("SELECT $1::text, current_setting('soak.tag', true), current_setting('work_mem'), "
                     "current_user::text, to_regclass('pg_temp.items') IS NOT NULL, "
                     "(SELECT count(*) FROM pg_prepared_statements WHERE from_sql)"),
        me.tag());
    me.require_tag(tag);
    me.require(setting.value_or("").empty(), "a setting of somebody else", setting.value_or(""));
    me.require(memory == kWorkMemory, "work_mem of somebody else", memory);
    me.require(user == kRole, "a role of somebody else", user);
    me.require(!temporary, "a temporary table of somebody else");
    me.require(prepared == 0, "a prepared statement of somebody else");
  });
}

constexpr std::array<Shape, 19> kShapes{{{"point", 900, point},
                                         {"variant", 300, variant},
                                         {"literal", 40, literal},
                                         {"nothing", 100, nothing},
                                         {"many rows", 100, many_rows},
                                         {"large row", 20, large_row},
                                         {"nulls", 100, nulls},
                                         {"untyped", 100, untyped},
                                         {"view", 40, view},
                                         {"shadowed", 40, shadowed},
                                         {"altered", 40, altered},
                                         {"locked", 20, locked},
                                         {"division by zero", 100, division_by_zero},
                                         {"error with tag", 100, error_with_tag},
                                         {"error after rows", 20, error_after_rows},
                                         {"slow", 8, slow},
                                         {"heavy", 3, heavy},
                                         {"stream", 10, stream},
                                         {"session as new", 40, session_as_new}}};

}  // namespace

std::span<const Shape> reading_shapes() { return kShapes; }

}  // namespace soak
