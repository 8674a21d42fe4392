#include <switchyard/sql/verdict.hpp>

#include <switchyard/sql/catalogue.hpp>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace switchyard::inline v0::sql {
namespace {

/// Of a statement that has many reasons not to share, so many are told.
constexpr std::size_t kMaxReasons = 8;

/// Types below are built in.
constexpr std::uint32_t kFirstOwnType = 10'000;

constexpr std::string_view kNotListed = ": not among the functions known to leave nothing behind";

/// Their answer is the same for everybody who shares a session, which has one role and one database.
constexpr auto kPlainValueFunctions = std::to_array<std::string_view>(
    {"current_catalog", "current_role", "current_schema", "current_user", "session_user", "user"});
constexpr auto kClockValueFunctions = std::to_array<std::string_view>(
    {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"});
/// Built in, and what they call beyond names is decided by types. The method of a TABLESAMPLE is a function's name.
constexpr auto kHarmlessConstructs =
    std::to_array<std::string_view>({"range_offset", "tablesample", "xmlexpr", "xmlserialize", "xmltable"});

bool has(std::span<const std::string_view> list, std::string_view name) noexcept {
  return std::ranges::find(list, name) != list.end();
}

std::string_view words_of(StatementKind kind) noexcept {
  switch (kind) {
    case StatementKind::select: return "a SELECT";
    case StatementKind::insert: return "an INSERT";
    case StatementKind::update: return "an UPDATE";
    case StatementKind::delete_from: return "a DELETE";
    case StatementKind::merge: return "a MERGE";
    case StatementKind::copy: return "a COPY";
    case StatementKind::explain: return "an EXPLAIN";
    case StatementKind::show: return "a SHOW";
    case StatementKind::set: return "a SET or RESET";
    case StatementKind::transaction: return "a transaction command";
    case StatementKind::cursor: return "a cursor command";
    case StatementKind::prepared: return "a command of prepared statements";
    case StatementKind::notification: return "a LISTEN, UNLISTEN or NOTIFY";
    case StatementKind::discard: return "a DISCARD";
    case StatementKind::lock: return "a LOCK";
    case StatementKind::call: return "a CALL or DO";
    case StatementKind::ddl: return "a change of the catalogue";
    case StatementKind::maintenance: return "a maintenance command";
    case StatementKind::empty: return "empty";
    case StatementKind::several: return "more than one statement";
    case StatementKind::unknown: return "not understood";
  }
  return "not understood";
}

std::string_view words_of(Effect effect) noexcept {
  switch (effect) {
    case Effect::changes_settings: return "changes settings of its session";
    case Effect::temporary_objects: return "makes temporary objects";
    case Effect::listens: return "listens for notifications";
    case Effect::notifies: return "sends notifications";
    case Effect::holds_cursor: return "leaves a cursor on its session";
    case Effect::prepares: return "uses prepared statements of its session";
    case Effect::discards: return "discards what its session holds";
    case Effect::controls_transaction: return "begins or ends a transaction";
    case Effect::locks_explicitly: return "locks tables";
    case Effect::locks_rows: return "FOR UPDATE or FOR SHARE locks rows";
    case Effect::runs_code: return "runs code";
    case Effect::changes_catalogue: return "changes the catalogue";
    case Effect::copies: return "is a COPY";
    case Effect::anything: return "may do anything";
  }
  return "may do anything";
}

std::string words_of(const Name& name) { return name.schema.empty() ? name.name : name.schema + "." + name.name; }
std::string words_of(std::string_view schema, std::string_view name) {
  if (schema == "pg_catalog") return std::string(name);
  return std::string(schema) + "." + std::string(name);
}

class Judge {
 public:
  Judge(const StatementFacts& facts, const CatalogueSnapshot& catalogue, std::span<const std::uint32_t> parameters)
      : facts_(facts), catalogue_(catalogue), parameters_(parameters) {}

  Verdict run() {
    gather_types();
    for (const Name& name : facts_.functions) function(name);
    for (const Name& name : facts_.relations) relation(name);
    for (const Name& name : facts_.operators) operator_named(name);
    for (const Name& name : facts_.types) type(name);
    for (const std::string& name : facts_.fields) field(name);
    for (const std::string& name : facts_.value_functions) value_function(name);
    for (const std::string& name : facts_.constructs) {
      if (!has(kHarmlessConstructs, name)) refuse("has " + name + ", which can't be judged");
    }
    if (const std::string unfit = catalogue_.unfit_type(types_); !unfit.empty()) {
      const auto says_so = [&](const std::string& reason) { return reason.ends_with(unfit); };
      if (std::ranges::none_of(reasons_, says_so)) refuse("uses the type " + unfit);
    }
    Verdict out;
    if (!reasons_.empty()) {
      out.reasons = std::move(reasons_);
      return out;
    }
    out.may_share = true;
    out.may_intern = !facts_.has_clock_constant;
    if (facts_.has_clock_constant && clock_.empty()) clock_ = "a constant that may mean now";
    out.may_share_sync = clock_.empty();
    out.replica_safe = replica_safe_;
    out.reasons.emplace_back("only reads, and all that it calls is known to leave nothing behind");
    if (!clock_.empty()) out.reasons.push_back("has a Sync of its own: " + clock_);
    if (!out.may_intern) out.reasons.emplace_back("is parsed anew each time: it has a constant that may mean now");
    return out;
  }

 private:
  void refuse(std::string reason) {
    if (reasons_.size() < kMaxReasons && std::ranges::find(reasons_, reason) == reasons_.end()) {
      reasons_.push_back(std::move(reason));
    }
  }
  void note_clock(std::string reason) {
    if (clock_.empty()) clock_ = std::move(reason);
  }
  static bool means(const Name& name, std::string_view schema) noexcept {
    return name.schema.empty() || name.schema == schema;
  }

  void add_types(std::span<const std::uint32_t> types) { types_.insert(types_.end(), types.begin(), types.end()); }

  /// The types of which values may be in the statement, as far as somebody made them.
  void gather_types() {
    for (const std::uint32_t type : parameters_) {
      types_.push_back(type);
      if (type < kFirstOwnType) continue;
      if (const auto* own = catalogue_.types_of(type)) {
        add_types(*own);
      } else {
        refuse("has a parameter of a type that is not known here");
      }
    }
    for (const Name& name : facts_.relations) {
      for (const CatalogueRelation& entry : catalogue_.relations(name.name)) {
        if (means(name, entry.schema)) add_types(entry.types);
      }
    }
    const auto named_type = [&](const Name& name) {
      for (const CatalogueType& entry : catalogue_.types(name.name)) {
        if (means(name, entry.schema)) add_types(entry.types);
      }
      for (const CatalogueRelation& entry : catalogue_.relations(name.name)) {
        if (means(name, entry.schema)) add_types(entry.types);
      }
    };
    for (const Name& name : facts_.types) named_type(name);
    for (const Name& name : facts_.functions) {
      named_type(name);  // `name(x)` is also a cast
      for (const CatalogueCallable& entry : catalogue_.functions(name.name)) {
        if (means(name, entry.schema) && entry.clears) add_types(entry.types);
      }
    }
    for (const std::string& name : facts_.fields) {
      named_type({.schema = {}, .name = name});  // and so is `x.name`
      for (const CatalogueCallable& entry : catalogue_.functions(name)) {
        if (entry.clears && entry.takes_one) add_types(entry.types);
      }
    }
    std::ranges::sort(types_);
    types_.erase(std::ranges::unique(types_).begin(), types_.end());
  }

  /// Of those that do not clear: whether it can be meant by this statement.
  [[nodiscard]] bool may_be_meant(const Name& name, const CatalogueCallable& entry) const noexcept {
    if (!name.schema.empty() || entry.only_with.empty()) return true;
    return std::ranges::any_of(entry.only_with,
                               [&](std::uint32_t type) { return std::ranges::binary_search(types_, type); });
  }

  enum class Where : std::uint8_t { anywhere, field };
  [[nodiscard]] bool check_type_named(const Name& name, std::string_view verb, Where where = Where::anywhere) {
    bool known = false;
    for (const CatalogueType& entry : catalogue_.types(name.name)) {
      if (!means(name, entry.schema) || (where == Where::field && entry.pseudo)) continue;
      known = true;
      if (!entry.refusal.empty()) {
        refuse(std::string(verb) + words_of(entry.schema, name.name) + ", " + entry.refusal);
      }
    }
    for (const CatalogueRelation& entry : catalogue_.relations(name.name)) {
      known = known || (means(name, entry.schema) && entry.row_type != 0);
    }
    return known;
  }

  void function(const Name& name) {
    bool known = false;
    for (const CatalogueCallable& entry : catalogue_.functions(name.name)) {
      if (!means(name, entry.schema)) continue;
      known = true;
      if (!entry.clears) {
        if (may_be_meant(name, entry)) refuse_call(name, entry);
        continue;
      }
      if (entry.clock) note_clock(name.name + "() depends on when it is called");
      if (entry.text_search && !catalogue_.text_search_refusal().empty()) refuse(catalogue_.text_search_refusal());
    }
    const bool cast = check_type_named(name, "casts to ");
    if (!known && !cast) refuse("calls " + words_of(name) + "(), which is not known here");
  }

  void refuse_call(const Name& name, const CatalogueCallable& entry) {
    const std::string meant = words_of(entry.schema, name.name);
    std::string text = "calls " + meant + "()";
    if (name.schema.empty() && catalogue_.functions(name.name).size() > 1 && meant != name.name) {
      text = "calls " + name.name + "(), which may be " + meant + "()";
    }
    refuse(text + std::string(kNotListed));
  }

  void operator_named(const Name& name) {
    bool known = false;
    for (const CatalogueCallable& entry : catalogue_.operators(name.name)) {
      if (!means(name, entry.schema)) continue;
      known = true;
      if (!entry.clears) {
        if (may_be_meant(name, entry)) {
          refuse("the operator " + name.name + " may be that of " + entry.schema +
                 ", whose function is not among " + "those known to leave nothing behind");
        }
        continue;
      }
      if (entry.clock) note_clock("the operator " + name.name + " depends on when it is used");
      if (entry.text_search && !catalogue_.text_search_refusal().empty()) refuse(catalogue_.text_search_refusal());
    }
    if (!known) refuse("uses the operator " + words_of(name) + ", which is not known here");
  }

  void relation(const Name& name) {
    bool known = false;
    for (const CatalogueRelation& entry : catalogue_.relations(name.name)) {
      if (!means(name, entry.schema)) continue;
      known = true;
      if (!entry.refusal.empty()) {
        refuse("reads " + entry.schema + "." + name.name + (entry.refusal.starts_with("and ") ? " " : ", ") +
               entry.refusal);
      }
      if (entry.clock) note_clock(words_of(entry.schema, name.name) + " looks at the clock");
      replica_safe_ = replica_safe_ && entry.replica_safe;
    }
    if (!known) refuse("reads " + words_of(name) + ", which is not known here (temporary, or new)");
  }

  void type(const Name& name) {
    if (!check_type_named(name, "uses the type ")) {
      refuse("uses the type " + words_of(name) + ", which is not known here");
    }
  }

  // `a.b` is the column b of a, or else b(a), which may also be a cast.
  void field(const std::string& field_name) {
    const Name name{.schema = {}, .name = field_name};
    for (const CatalogueCallable& entry : catalogue_.functions(field_name)) {
      if (entry.clears) {
        if (entry.takes_one && entry.clock) note_clock("." + field_name + " may call a function of the clock");
        continue;
      }
      if (!entry.takes_one || !may_be_meant(name, entry)) continue;
      refuse("." + field_name + " may call " + words_of(entry.schema, field_name) + "()" + std::string(kNotListed));
    }
    (void)check_type_named(name, "." + field_name + " may cast to ", Where::field);
  }

  void value_function(const std::string& name) {
    if (has(kClockValueFunctions, name)) return note_clock(name + " depends on when it is asked");
    if (!has(kPlainValueFunctions, name)) refuse("asks for " + name + ", which belongs to one session");
  }

  const StatementFacts& facts_;
  const CatalogueSnapshot& catalogue_;
  const std::span<const std::uint32_t> parameters_;
  std::vector<std::uint32_t> types_;  ///< sorted
  std::vector<std::string> reasons_;
  std::string clock_;
  bool replica_safe_ = true;
};

Verdict refused(std::string reason) {
  Verdict out;
  out.reasons.push_back(std::move(reason));
  return out;
}

/// What the text alone rules out.
std::vector<std::string> text_reasons(const StatementFacts& facts) {
  std::vector<std::string> out;
  if (facts.kind != StatementKind::select) {
    std::string what = "is " + std::string(words_of(facts.kind));
    if (!facts.why_unknown.empty()) what += ": " + facts.why_unknown;
    out.push_back(std::move(what));
  }
  for (const Effect effect : facts.effects) out.emplace_back(words_of(effect));
  if (out.empty() && facts.writes) out.emplace_back("writes");
  return out;
}

}  // namespace

Verdict judge(const StatementFacts& facts, const CatalogueSnapshot* catalogue,
              std::span<const std::uint32_t> parameter_types) {
  if (std::vector<std::string> reasons = text_reasons(facts); !reasons.empty()) {
    Verdict out;
    out.reasons = std::move(reasons);
    return out;
  }
  if (catalogue == nullptr) return refused("the catalogue has not been read yet");
  if (!catalogue->refusal().empty()) return refused(catalogue->refusal());
  if (!facts.only_ascii && !catalogue->utf8()) {
    return refused("has characters outside ASCII, and the database is not in UTF8");
  }
  return Judge(facts, *catalogue, parameter_types).run();
}

}  // namespace switchyard::inline v0::sql
