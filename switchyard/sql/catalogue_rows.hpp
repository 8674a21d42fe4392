// The answers to catalogue_queries(), as they came. Of parse trees only what they name is kept.
#pragma once

#include <switchyard/sql/node_tree.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0::sql {

using Oid = std::uint32_t;

/// access/transam.h: what is below has the same OID everywhere; above it, and below the next, initdb gave them out.
inline constexpr Oid kFirstUnpinnedOid = 10'000;

struct FunctionRow {
  Oid oid = 0;
  std::string schema, name;
  std::vector<Oid> arguments;
  Oid result = 0;
  unsigned defaults = 0;
  bool variadic = false;
  bool named_arguments = false;
  bool altered = false;      ///< has settings of its own, or another one's rights
  bool makes_range = false;  ///< the constructor that came with a range type
  std::uint32_t fingerprint = 0;
  std::vector<Oid> parts;  ///< the functions of an aggregate
  std::string extension;
  // Found out by the builder:
  bool clears = false;
  std::uint8_t flags = 0;
};

struct OperatorRow {
  Oid oid = 0;
  std::string schema, name;
  Oid left = 0, right = 0, function = 0, restriction = 0, join = 0;
  bool clears = false;
};

struct TypeRow {
  Oid oid = 0;
  std::string schema, name;
  char kind = 'b', category = 'U';
  bool preferred = false;
  Oid element = 0, base = 0, relation = 0;
  std::vector<Oid> io;  ///< functions; 0 where there is none
  Oid subscript = 0;    ///< a built-in one is left out
};

struct RangeRow {
  Oid range = 0, multirange = 0, subtype = 0, canonical = 0, difference = 0, operator_class = 0;
};

struct OperatorClassRow {
  Oid oid = 0, type = 0, family = 0;
  bool is_default = false;
  std::string method;
};

struct FamilyMemberRow {
  Oid family = 0, left = 0, right = 0;
  bool is_operator = false;
  Oid object = 0;
};

struct CastRow {
  Oid source = 0, target = 0, function = 0;
  char context = 'e';
};

struct RelationRow {
  Oid oid = 0;
  std::string schema, name;
  char kind = 'r', persistence = 'p';
  bool row_security = false;
  Oid row_type = 0;
};

struct UseRow {
  Oid relation = 0, catalogue = 0, object = 0;
};

/// Something with a name that runs functions; 0 where there is none.
struct CodeRow {
  std::string name;
  std::vector<Oid> functions;
};

/// A parse tree and whose it is.
struct TreeRow {
  Oid owner = 0;
  NodeTree tree;
};

struct CatalogueRows {
  std::string server_encoding, client_encoding, standard_conforming_strings;
  std::vector<FunctionRow> functions;
  std::vector<TreeRow> function_bodies;
  std::vector<OperatorRow> operators;
  std::vector<TypeRow> types;
  std::vector<RangeRow> ranges;
  std::vector<TreeRow> domain_checks;
  std::vector<OperatorClassRow> operator_classes;
  std::vector<FamilyMemberRow> family_members;
  std::vector<CastRow> casts;
  std::vector<RelationRow> relations;
  std::vector<std::pair<Oid, Oid>> columns;  ///< relation, type
  std::vector<TreeRow> views, policies, generated_columns;
  std::vector<std::pair<Oid, Oid>> inheritance;  ///< parent, child
  std::vector<UseRow> uses;
  std::vector<CodeRow> text_search;  ///< "template x", "parser y"
  std::vector<CodeRow> conversions;
};

/// "app.f", "f" of pg_catalog.
[[nodiscard]] inline std::string qualified(std::string_view schema, std::string_view name) {
  if (schema == "pg_catalog") return std::string(name);
  return std::string(schema) + "." + std::string(name);
}

}  // namespace switchyard::inline v0::sql
