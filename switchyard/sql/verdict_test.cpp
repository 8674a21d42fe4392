#include <switchyard/sql/catalogue_builder.hpp>
#include <switchyard/sql/verdict.hpp>

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace switchyard::sql {
namespace {

using Row = std::vector<std::optional<std::string_view>>;

/// A catalogue with lower(), now(), pg_sleep(), text and what a test adds to it.
class SmallCatalogue {
 public:
  explicit SmallCatalogue(SafeNames safe = {}, CatalogueLimits limits = {}, std::string_view conforming = "on",
                          std::string_view encoding = "UTF8")
      : builder_(std::move(safe), limits) {
    add(CataloguePart::server, {encoding, encoding, conforming});
    function("870", "pg_catalog", "lower", "25", "internal", "lower");
    function("67", "pg_catalog", "texteq", "25 25", "internal", "texteq");
    function("1299", "pg_catalog", "now", "", "internal", "now");
    function("2626", "pg_catalog", "pg_sleep", "701", "internal", "pg_sleep");
    function("46", "pg_catalog", "textin", "2275", "internal", "textin");
    function("47", "pg_catalog", "textout", "25", "internal", "textout");
    function("2597", "pg_catalog", "domain_in", "2275 26 23", "internal", "domain_in");
    add(CataloguePart::operators, {"98", "pg_catalog", "=", "25", "25", "67", "101", "105"});
    add(CataloguePart::types, {"25", "pg_catalog", "text", "b", "S", "1", "0", "0", "0", "46 47 0 0 0 0", "0"});
    relation("16500", "public", "customer", "r");
  }
  SmallCatalogue& add(CataloguePart part, const Row& row) {
    const bool system =
        part == CataloguePart::operators || (part == CataloguePart::functions && row[1] == "pg_catalog");
    const CatalogueQuery query{part, system ? CatalogueOwner::system : CatalogueOwner::anybody, row.size(), {}};
    const Result<void> added = builder_.add(query, row);
    if (!added.ok() && error_.empty()) error_ = added.error().message();
    return *this;
  }
  SmallCatalogue& function(std::string_view oid, std::string_view schema, std::string_view name,
                           std::string_view arguments, std::string_view language, std::string_view source) {
    return add(CataloguePart::functions, {oid, schema, name, arguments, "25", "1", "0", "0", "0", language, source,
                                          "0", std::nullopt, std::nullopt});
  }
  SmallCatalogue& relation(std::string_view oid, std::string_view schema, std::string_view name,
                           std::string_view kind) {
    return add(CataloguePart::relations, {oid, schema, name, kind, "p", "0", "0"});
  }
  std::shared_ptr<const CatalogueSnapshot> finish() {
    EXPECT_EQ(error_, "");
    auto snapshot = builder_.finish();
    EXPECT_TRUE(snapshot.ok());
    return snapshot.ok() ? *snapshot : nullptr;
  }
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  CatalogueBuilder builder_;
  std::string error_;
};

StatementFacts select() {
  StatementFacts facts;
  facts.kind = StatementKind::select;
  facts.inner_kind = StatementKind::select;
  facts.writes = false;
  facts.only_ascii = true;
  return facts;
}

StatementFacts calling(std::string name, std::string schema = {}) {
  StatementFacts facts = select();
  facts.functions = {{.schema = std::move(schema), .name = std::move(name)}};
  return facts;
}

StatementFacts reading(std::string name) {
  StatementFacts facts = select();
  facts.relations = {{.schema = {}, .name = std::move(name)}};
  return facts;
}

std::string first_reason(const Verdict& verdict) { return verdict.reasons.empty() ? "" : verdict.reasons.front(); }

TEST(Verdict, NothingSharesWithoutACatalogue) {
  const Verdict verdict = judge(select(), nullptr);
  EXPECT_FALSE(verdict.may_share);
  EXPECT_EQ(first_reason(verdict), "the catalogue has not been read yet");
}

TEST(Verdict, WhatTheTextRulesOutNeedsNoCatalogue) {
  StatementFacts facts = select();
  facts.writes = true;
  facts.effects = {Effect::locks_rows};
  EXPECT_EQ(first_reason(judge(facts, nullptr)), "FOR UPDATE or FOR SHARE locks rows");
  facts = {};
  facts.why_unknown = "syntax error at or near \"FORM\"";
  EXPECT_EQ(first_reason(judge(facts, nullptr)), "is not understood: syntax error at or near \"FORM\"");
}

TEST(Verdict, EveryOtherKindOfStatementIsLeased) {
  const auto catalogue = SmallCatalogue().finish();
  for (int kind = 1; kind <= static_cast<int>(StatementKind::unknown); ++kind) {
    StatementFacts facts = select();
    facts.kind = static_cast<StatementKind>(kind);
    EXPECT_FALSE(judge(facts, catalogue.get()).may_share) << kind;
  }
}

TEST(Verdict, EveryEffectIsLeased) {
  const auto catalogue = SmallCatalogue().finish();
  for (int effect = 0; effect <= static_cast<int>(Effect::anything); ++effect) {
    StatementFacts facts = select();
    facts.effects = {static_cast<Effect>(effect)};
    EXPECT_FALSE(judge(facts, catalogue.get()).may_share) << effect;
  }
}

TEST(Verdict, AReadOfListedFunctionsShares) {
  const auto catalogue = SmallCatalogue().finish();
  StatementFacts facts = calling("lower");
  facts.relations = {{.schema = "public", .name = "customer"}};
  facts.operators = {{.schema = {}, .name = "="}};
  facts.types = {{.schema = {}, .name = "text"}};
  const Verdict verdict = judge(facts, catalogue.get());
  EXPECT_TRUE(verdict.may_share) << first_reason(verdict);
  EXPECT_TRUE(verdict.may_share_sync);
  EXPECT_TRUE(verdict.may_intern);
  EXPECT_FALSE(verdict.reasons.empty());
}

TEST(Verdict, TheClockSharesALaneButNoSync) {
  const auto catalogue = SmallCatalogue().finish();
  for (StatementFacts facts : {calling("now"), select()}) {
    if (facts.functions.empty()) facts.value_functions = {"current_timestamp"};
    const Verdict verdict = judge(facts, catalogue.get());
    EXPECT_TRUE(verdict.may_share);
    EXPECT_FALSE(verdict.may_share_sync);
    EXPECT_TRUE(verdict.may_intern);
  }
}

TEST(Verdict, AConstantThatMeansNowIsNotInterned) {
  const auto catalogue = SmallCatalogue().finish();
  StatementFacts facts = select();
  facts.has_clock_constant = true;
  const Verdict verdict = judge(facts, catalogue.get());
  EXPECT_TRUE(verdict.may_share);
  EXPECT_FALSE(verdict.may_share_sync);
  EXPECT_FALSE(verdict.may_intern);
}

TEST(Verdict, NamesTheFunctionThatIsNotListed) {
  const auto catalogue = SmallCatalogue().finish();
  EXPECT_EQ(first_reason(judge(calling("pg_sleep"), catalogue.get())),
            "calls pg_sleep(): not among the functions known to leave nothing behind");
  EXPECT_EQ(first_reason(judge(calling("lower", "app"), catalogue.get())),
            "calls app.lower(), which is not known here");
  EXPECT_EQ(first_reason(judge(calling("nothing"), catalogue.get())), "calls nothing(), which is not known here");
}

TEST(Verdict, ANameClearsOnlyIfAllThatItCouldMeanDoes) {
  const auto catalogue = SmallCatalogue().function("16600", "app", "lower", "25", "sql", "").finish();
  EXPECT_EQ(first_reason(judge(calling("lower"), catalogue.get())),
            "calls lower(), which may be app.lower(): not among the functions known to leave nothing behind");
  EXPECT_TRUE(judge(calling("lower", "pg_catalog"), catalogue.get()).may_share);
}

TEST(Verdict, AReplacedBuiltInFunctionIsNotTheListedOne) {
  SmallCatalogue rows;
  rows.function("871", "pg_catalog", "upper", "25", "sql", "SELECT set_config('a.b', $1, false)");
  EXPECT_FALSE(judge(calling("upper"), rows.finish().get()).may_share);
}

TEST(Verdict, FunctionsThatTheOwnerDeclaredSafeClear) {
  SmallCatalogue rows({.objects = {"app.price"}, .extensions = {}});
  rows.function("16600", "app", "price", "25", "plpgsql", "");
  EXPECT_TRUE(judge(calling("price", "app"), rows.finish().get()).may_share);
}

TEST(Verdict, AColumnMayBeAFunction) {
  const auto catalogue = SmallCatalogue().function("16600", "app", "price", "16500", "sql", "").finish();
  StatementFacts facts = select();
  facts.fields = {"price"};
  EXPECT_EQ(first_reason(judge(facts, catalogue.get())),
            ".price may call app.price(): not among the functions known to leave nothing behind");
  facts.fields = {"name", "id"};
  EXPECT_TRUE(judge(facts, catalogue.get()).may_share);
}

TEST(Verdict, RelationsByTheirKind) {
  SmallCatalogue rows;
  rows.relation("16501", "public", "remote", "f").relation("16502", "public", "counter", "S");
  const auto catalogue = rows.finish();
  EXPECT_TRUE(judge(reading("customer"), catalogue.get()).may_share);
  EXPECT_EQ(first_reason(judge(reading("remote"), catalogue.get())),
            "reads public.remote, which is a foreign table");
  EXPECT_EQ(first_reason(judge(reading("counter"), catalogue.get())), "reads public.counter, which is a sequence");
  EXPECT_EQ(first_reason(judge(reading("gone"), catalogue.get())),
            "reads gone, which is not known here (temporary, or new)");
}

TEST(Verdict, AViewIsWhatItCalls) {
  SmallCatalogue rows;
  rows.relation("16501", "public", "slow", "v").relation("16502", "public", "over_slow", "v");
  rows.add(CataloguePart::views, {"16501", "({QUERY :commandType 1 :targetList ({FUNCEXPR :funcid 2626})})"});
  rows.add(CataloguePart::views, {"16502", "({QUERY :commandType 1 :rtable ({RANGETBLENTRY :relid 16501})})"});
  const auto catalogue = rows.finish();
  EXPECT_EQ(first_reason(judge(reading("slow"), catalogue.get())),
            "reads public.slow, which is a view that calls pg_sleep()");
  EXPECT_EQ(first_reason(judge(reading("over_slow"), catalogue.get())),
            "reads public.over_slow and with it public.slow, which is a view that calls pg_sleep()");
}

TEST(Verdict, PoliciesThatReadEachOthersTablesAreFollowedOnce) {
  SmallCatalogue rows;
  rows.relation("16501", "public", "a", "r").relation("16502", "public", "b", "r");
  rows.add(CataloguePart::policies,
           {"16501", "{SUBLINK :subselect {QUERY :commandType 1 :rtable ({RANGETBLENTRY :relid 16502})}}"});
  rows.add(CataloguePart::policies,
           {"16502", "{SUBLINK :subselect {QUERY :commandType 1 :rtable ({RANGETBLENTRY :relid 16501})}}"});
  EXPECT_TRUE(judge(reading("a"), rows.finish().get()).may_share);
}

TEST(Verdict, AnImplicitCastBetweenBuiltInTypesMayBeAnywhere) {
  SmallCatalogue rows;
  rows.function("16600", "app", "convert", "25", "sql", "");
  rows.add(CataloguePart::casts, {"25", "23", "16600", "i"});
  EXPECT_NE(first_reason(judge(select(), rows.finish().get())).find("calls app.convert()"), std::string::npos);
}

TEST(Verdict, ADomainIsItsCheck) {
  SmallCatalogue rows;
  rows.function("16600", "app", "valid", "25", "plpgsql", "");
  rows.add(CataloguePart::types,
           {"16700", "app", "checked", "d", "S", "0", "0", "25", "0", "2597 47 0 0 0 0", "0"});
  rows.add(CataloguePart::domain_checks, {"16700", "{FUNCEXPR :funcid 16600}"});
  rows.add(CataloguePart::columns, {"16500", "16700"});
  const auto catalogue = rows.finish();
  StatementFacts facts = select();
  facts.types = {{.schema = "app", .name = "checked"}};
  EXPECT_EQ(first_reason(judge(facts, catalogue.get())),
            "uses the type app.checked, whose check calls app.valid()");
}

TEST(Verdict, AParameterCanHaveATypeThatTheTextDoesNotName) {
  SmallCatalogue rows;
  rows.function("16600", "app", "valid", "25", "plpgsql", "");
  rows.function("16601", "app", "lower", "16701", "sql", "");
  rows.add(CataloguePart::types,
           {"16700", "app", "checked", "d", "S", "0", "0", "25", "0", "2597 47 0 0 0 0", "0"});
  rows.add(CataloguePart::types, {"16701", "app", "plain", "e", "E", "0", "0", "0", "0", "0 0 0 0 0 0", "0"});
  rows.add(CataloguePart::domain_checks, {"16700", "{FUNCEXPR :funcid 16600}"});
  const auto catalogue = rows.finish();
  using Oids = std::vector<std::uint32_t>;
  EXPECT_TRUE(judge(calling("lower"), catalogue.get(), Oids{0, 25}).may_share);
  EXPECT_EQ(first_reason(judge(select(), catalogue.get(), Oids{16700})),
            "uses the type app.checked, whose check calls app.valid()");
  EXPECT_EQ(first_reason(judge(calling("lower"), catalogue.get(), Oids{16701})),
            "calls lower(), which may be app.lower(): not among the functions known to leave nothing behind");
  EXPECT_EQ(first_reason(judge(select(), catalogue.get(), Oids{99999})),
            "has a parameter of a type that is not known here");
}

TEST(Verdict, ServersThatReadTextsDifferentlyShareNothing) {
  EXPECT_FALSE(judge(select(), SmallCatalogue({}, {}, "off").finish().get()).may_share);
  EXPECT_FALSE(judge(select(), SmallCatalogue({}, {}, "on", "EUC_JP").finish().get()).may_share);
  const auto latin = SmallCatalogue({}, {}, "on", "LATIN1").finish();
  StatementFacts facts = select();
  EXPECT_TRUE(judge(facts, latin.get()).may_share);
  facts.only_ascii = false;
  EXPECT_FALSE(judge(facts, latin.get()).may_share);
}

TEST(Verdict, ConstructsThatAreNotKnownAreLeased) {
  const auto catalogue = SmallCatalogue().finish();
  StatementFacts facts = select();
  facts.constructs = {"xmltable"};
  EXPECT_TRUE(judge(facts, catalogue.get()).may_share);
  facts.constructs = {"something_new"};
  EXPECT_FALSE(judge(facts, catalogue.get()).may_share);
  facts.constructs.clear();
  facts.value_functions = {"system_user"};
  EXPECT_FALSE(judge(facts, catalogue.get()).may_share);
}

TEST(CatalogueBuilder, NamesTheLimitThatWasPassed) {
  EXPECT_EQ(SmallCatalogue({}, {.rows = 3}).error(), "the catalogue has more than CatalogueLimits::rows = 3");
  EXPECT_EQ(SmallCatalogue({}, {.bytes = 20}).error(), "the catalogue is longer than CatalogueLimits::bytes = 20");
}

TEST(CatalogueBuilder, RefusesRowsThatAreNotWhatItAskedFor) {
  EXPECT_NE(SmallCatalogue().add(CataloguePart::columns, {"1"}).error(), "");
  EXPECT_NE(SmallCatalogue().add(CataloguePart::columns, {"1", "2", "3"}).error(), "");
  EXPECT_NE(SmallCatalogue().add(CataloguePart::columns, {"1", "x"}).error(), "");
  EXPECT_FALSE(CatalogueBuilder().finish().ok());
}

TEST(SafeNames, AreFunctionsRelationsOrExtensions) {
  const std::vector<std::string> entries{"app.price", "extension:citext"};
  const auto parsed = parse_safe_names(entries);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->objects, std::vector<std::string>{"app.price"});
  EXPECT_EQ(parsed->extensions, std::vector<std::string>{"citext"});
}

TEST(SafeNames, NeedASchema) {
  for (const char* entry : {"price", "app.", ".price", "app.price(int)", "extension:"}) {
    const std::vector<std::string> entries{entry};
    EXPECT_FALSE(parse_safe_names(entries).ok()) << entry;
  }
}

}  // namespace
}  // namespace switchyard::sql
