// Relations: tables with what planning runs over them, views, policies, and what they read in turn.
#include <switchyard/sql/catalogue_judgement.hpp>

#include <switchyard/sql/allow_list.hpp>

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace switchyard::inline v0::sql {
namespace {

constexpr Oid kLargeObjects = 2613;
constexpr Oid kFunctionCatalogue = 1255, kOperatorCatalogue = 2617, kOperatorClassCatalogue = 2616;

}  // namespace

std::string CatalogueJudgement::refuse_tree(const NodeTree& tree, bool& clock) const {
  if (!tree.problem.empty()) return "can't be judged: " + tree.problem;
  clock = clock || tree.clock;
  for (const Oid oid : tree.functions) {
    if (std::string name = refuse_call(oid); !name.empty()) return "calls " + name;
    const FunctionRow* row = function(oid);
    clock = clock || (row->flags & AllowedFunction::clock) != 0;
    if ((row->flags & AllowedFunction::text_search) != 0 && !out_->text_search_refusal_.empty()) {
      return "searches text: " + out_->text_search_refusal_;
    }
  }
  for (const Oid oid : tree.operators) {
    if (std::string name = refuse_operator(oid); !name.empty()) return "calls " + name;
  }
  return {};
}

void CatalogueJudgement::judge_trees(std::span<const TreeRow> trees, const char* what) {
  for (const TreeRow& tree : trees) {
    const auto found = relations_.find(tree.owner);
    if (found == relations_.end()) continue;
    RelationNode& node = found->second;
    std::string why = refuse_tree(tree.tree, node.clock);
    if (!why.empty() && node.access_refusal.empty()) node.access_refusal = what + why;
    for (const Oid relation : tree.tree.relations) {
      if (relation != tree.owner) node.reads.push_back(relation);  // views name themselves, before PostgreSQL 16
    }
    node.types.insert(node.types.end(), tree.tree.types.begin(), tree.tree.types.end());
  }
}

void CatalogueJudgement::make_relation_nodes() {
  for (const RelationRow& row : rows_.relations) {
    if (row.kind == 'c') continue;
    RelationNode& node = relations_[row.oid];
    node.row = &row;
    node.declared_safe = safe_objects_.contains(row.schema + "." + row.name);
    if (row.kind == 'f') node.storage_refusal = "a foreign table";
    if (row.kind == 'S') node.storage_refusal = "a sequence";
    if (row.oid == kLargeObjects) node.storage_refusal = "the table of large objects";
  }
  for (const UseRow& use : rows_.uses) {
    const auto found = relations_.find(use.relation);
    if (found == relations_.end() || !found->second.storage_refusal.empty()) continue;
    std::string name;
    if (use.catalogue == kFunctionCatalogue) name = refuse_part(use.object);
    if (use.catalogue == kOperatorCatalogue) name = refuse_operator(use.object);
    if (use.catalogue == kOperatorClassCatalogue) {
      const auto own = std::ranges::find(rows_.operator_classes, use.object, &OperatorClassRow::oid);
      if (own != rows_.operator_classes.end()) name = refuse_family(own->family);
    }
    if (!name.empty())
      found->second.storage_refusal = "a table whose indexes, checks or access method call " + name;
  }
  judge_trees(out_->system_->views, "a view that ");
  judge_trees(rows_.views, "a view that ");
  judge_trees(rows_.policies, "a table with a policy that ");
  judge_trees(rows_.generated_columns, "a table with a generated column that ");
  for (const auto& [parent, child] : rows_.inheritance) {
    const auto found = relations_.find(parent);
    if (found == relations_.end()) continue;
    found->second.children.push_back(child);
    const auto part = relations_.find(child);
    if (found->second.row->kind == 'p' && part != relations_.end()) part->second.partition_of.push_back(parent);
  }
}

// Children are read as a part of their parent: their own policies do not count, their storage does.
void CatalogueJudgement::close_relation(CatalogueRelation& out, Oid root) const {
  enum class As : std::uint8_t { itself, child, partitioned };
  struct Visit {
    Oid oid;
    As as;
  };
  std::vector<Visit> todo{{root, As::itself}};
  std::unordered_set<std::uint64_t> seen;
  std::vector<Oid> types;
  const auto note = [&](const RelationNode& node, const std::string& why) {
    if (!out.refusal.empty() || why.empty()) return;
    out.refusal = node.row->oid == root
                      ? "which is " + why
                      : "and with it " + qualified(node.row->schema, node.row->name) + ", which is " + why;
  };
  while (!todo.empty()) {
    const Visit visit = todo.back();
    todo.pop_back();
    if (!seen.insert(std::uint64_t{visit.oid} << 2 | static_cast<std::uint64_t>(visit.as)).second) continue;
    const RelationNode* node = find_entry(relations_, visit.oid);
    if (node == nullptr) {
      if (out.refusal.empty()) out.refusal = "and with it something that is not known";
      continue;
    }
    for (const Oid parent : node->partition_of) todo.push_back({parent, As::partitioned});
    if (visit.as == As::partitioned) {
      if (!node->declared_safe) note(*node, node->storage_refusal);
      continue;
    }
    if (node->row->persistence != 'p') out.replica_safe = false;
    if (visit.oid == root && node->row->row_type != 0) types.push_back(node->row->row_type);
    if (node->declared_safe) continue;
    note(*node, node->storage_refusal);
    for (const Oid child : node->children) todo.push_back({child, As::child});
    if (visit.as == As::child) continue;
    note(*node, node->access_refusal);
    out.clock = out.clock || node->clock;
    types.insert(types.end(), node->types.begin(), node->types.end());
    for (const Oid relation : node->reads) todo.push_back({relation, As::itself});
  }
  out.types = type_closure(types);
}

void CatalogueJudgement::add_relations() {
  for (const RelationRow& row : rows_.relations) {
    if (row.kind == 'c') continue;
    CatalogueRelation entry;
    entry.schema = row.schema;
    entry.row_type = row.row_type;
    close_relation(entry, row.oid);
    ++out_->relation_count_;
    out_->relations_[row.name].push_back(std::move(entry));
  }
}

}  // namespace switchyard::inline v0::sql
