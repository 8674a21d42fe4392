#include <switchyard/sql/catalogue_judgement.hpp>

#include <switchyard/sql/allow_list.hpp>

#include <algorithm>
#include <utility>

namespace switchyard::inline v0::sql {
namespace {

constexpr std::string_view kPgCatalog = "pg_catalog";

/// Encodings in which a byte below 128 is always the ASCII character: what the text is split at means the same to
/// the server. All others of PostgreSQL have several bytes a character.
bool encoding_clears(std::string_view name) noexcept {
  return name == "UTF8" || name == "SQL_ASCII" || name.starts_with("LATIN") || name.starts_with("WIN") ||
         name.starts_with("ISO_8859_") || name.starts_with("KOI8");
}

}  // namespace

CatalogueJudgement::CatalogueJudgement(CatalogueRows rows, std::shared_ptr<const CatalogueRows> system,
                                       const SafeNames& safe)
    : rows_(std::move(rows)),
      safe_(safe),
      safe_objects_(safe.objects.begin(), safe.objects.end()),
      out_(std::make_shared<CatalogueSnapshot>()) {
  // Copies, for what is found out about them is this snapshot's.
  rows_.functions.insert(rows_.functions.end(), system->functions.begin(), system->functions.end());
  rows_.operators.insert(rows_.operators.end(), system->operators.begin(), system->operators.end());
  out_->system_ = std::move(system);
}

std::shared_ptr<const CatalogueSnapshot> CatalogueJudgement::make() {
  judge_functions();
  judge_operators();
  make_type_nodes();
  judge_types();
  judge_casts();
  judge_operator_classes();
  judge_server();
  make_relation_nodes();
  add_functions();
  add_operators();
  add_types();
  add_relations();
  return out_;
}

// Functions and operators

void CatalogueJudgement::judge_functions() {
  for (FunctionRow& row : rows_.functions) {
    functions_.emplace(row.oid, &row);
    const bool built_in = row.oid < kFirstUnpinnedOid && row.schema == kPgCatalog && !row.altered &&
                          std::ranges::all_of(row.parts, [](Oid part) { return part < kFirstUnpinnedOid; });
    if (const AllowedFunction* listed = built_in ? find_allowed(row.oid, row.fingerprint) : nullptr) {
      row.clears = true;
      row.flags = listed->flags;
    } else if (row.oid >= kFirstUnpinnedOid) {
      row.clears =
          row.makes_range || safe_objects_.contains(row.schema + "." + row.name) ||
          (!row.extension.empty() && std::ranges::find(safe_.extensions, row.extension) != safe_.extensions.end());
    }
  }
  // A built-in function in SQL is as harmless as what its body calls now.
  for (bool changed = true; changed;) {
    changed = false;
    for (const TreeRow& body : out_->system_->function_bodies) {
      const auto found = functions_.find(body.owner);
      if (found == functions_.end() || !found->second->clears) continue;
      const bool clears = body.tree.problem.empty() && std::ranges::all_of(body.tree.functions, [&](Oid oid) {
                            return refuse_call(oid).empty();
                          });
      if (clears) continue;
      found->second->clears = false;
      changed = true;
    }
  }
}

const FunctionRow* CatalogueJudgement::function(Oid oid) const noexcept {
  const auto found = functions_.find(oid);
  return found == functions_.end() ? nullptr : found->second;
}

std::string CatalogueJudgement::refuse_call(Oid oid) const {
  const FunctionRow* row = function(oid);
  if (row == nullptr) return "function " + std::to_string(oid);
  return row->clears && (row->flags & AllowedFunction::type_io) == 0 ? std::string()
                                                                     : qualified(row->schema, row->name) + "()";
}

std::string CatalogueJudgement::refuse_part(Oid oid) const {
  const FunctionRow* row = function(oid);
  if (row == nullptr) return "function " + std::to_string(oid);
  return row->clears ? std::string() : qualified(row->schema, row->name) + "()";
}

void CatalogueJudgement::judge_operators() {
  for (OperatorRow& row : rows_.operators) {
    // Estimates of a plan run its selectivity functions; those of others come with extensions.
    const auto estimates = [&](Oid oid) { return oid < kFirstUnpinnedOid || refuse_part(oid).empty(); };
    row.clears =
        row.function != 0 && refuse_call(row.function).empty() && estimates(row.restriction) && estimates(row.join);
    operators_.emplace(row.oid, &row);
  }
}

std::string CatalogueJudgement::refuse_operator(Oid oid) const {
  const auto found = operators_.find(oid);
  if (found == operators_.end()) return "operator " + std::to_string(oid);
  const OperatorRow& row = *found->second;
  if (row.clears) return {};
  const FunctionRow* code = function(row.function);
  return code != nullptr ? qualified(code->schema, code->name) + "()" : "operator " + row.name;
}

void CatalogueJudgement::judge_server() {
  out_->utf8_ = rows_.server_encoding == "UTF8";
  if (rows_.standard_conforming_strings != "on") {
    refuse_everything("standard_conforming_strings is off: the server reads string constants differently");
  }
  for (const std::string* encoding : {&rows_.server_encoding, &rows_.client_encoding}) {
    if (!encoding_clears(*encoding))
      refuse_everything("the encoding " + *encoding + " has several bytes a character");
  }
  const auto refused = [&](Oid part) { return part != 0 && !refuse_part(part).empty(); };
  for (const CodeRow& row : rows_.conversions) {
    if (std::ranges::any_of(row.functions, refused)) {
      refuse_everything("the conversion " + row.name + " is not built in");
    }
  }
  for (const CodeRow& row : rows_.text_search) {
    if (std::ranges::any_of(row.functions, refused)) {
      out_->text_search_refusal_ = "the text search " + row.name + " is not built in";
    }
  }
}

}  // namespace switchyard::inline v0::sql
