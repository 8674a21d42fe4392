// Types: how their values are read, written, checked, cast, sorted, and what follows from having one.
#include <switchyard/sql/catalogue_judgement.hpp>

#include <algorithm>
#include <utility>

namespace switchyard::inline v0::sql {

void CatalogueJudgement::make_type_nodes() {
  std::unordered_map<Oid, Oid> row_types;  // of relations
  std::vector<std::pair<Oid, Oid>> arrays;
  for (const TypeRow& row : rows_.types) {
    TypeNode& node = types_[row.oid];
    node.row = &row;
    node.name = qualified(row.schema, row.name);
    node.kind = row.kind;
    node.category = row.category;
    node.preferred = row.preferred;
    if (row.element != 0) {
      node.leads_to.push_back(row.element);
      // array_agg() and its like make arrays that nothing names.
      if (row.oid >= kFirstUnpinnedOid) arrays.emplace_back(row.element, row.oid);
    }
    if (row.base != 0) node.leads_to.push_back(row.base);
    if (row.relation != 0) row_types.emplace(row.relation, row.oid);
  }
  for (const RelationRow& row : rows_.relations) {
    if (row.row_type == 0 || row.kind == 'c') continue;
    TypeNode& node = types_[row.row_type];
    node.name = qualified(row.schema, row.name);
    node.kind = 'c';
    node.category = 'C';
    row_types.emplace(row.oid, row.row_type);
  }
  for (const auto& [element, array] : arrays) types_[element].leads_to.push_back(array);
  for (const auto& [relation, type] : rows_.columns) {
    if (const auto found = row_types.find(relation); found != row_types.end()) {
      types_[found->second].leads_to.push_back(type);
    }
  }
  for (const RangeRow& row : rows_.ranges) {
    types_[row.range].leads_to.push_back(row.subtype);
    types_[row.range].leads_to.push_back(row.multirange);
    types_[row.multirange].leads_to.push_back(row.range);
  }
}

std::string CatalogueJudgement::type_name(Oid type) const {
  const TypeNode* node = find_entry(types_, type);
  return node != nullptr ? node->name : "type " + std::to_string(type);
}

void CatalogueJudgement::refuse_type(Oid type, std::string why) {
  TypeNode& node = types_[type];
  if (node.refusal.empty()) node.refusal = std::move(why);
}

void CatalogueJudgement::refuse_everything(std::string why) {
  if (out_->refusal_.empty()) out_->refusal_ = std::move(why);
}

void CatalogueJudgement::judge_types() {
  for (const TypeRow& row : rows_.types) {
    for (const Oid part : row.io) {
      if (part == 0) continue;
      if (std::string name = refuse_part(part); !name.empty())
        refuse_type(row.oid, "whose values are read or written by " + name);
    }
    if (row.subscript == 0) continue;
    if (std::string name = refuse_part(row.subscript); !name.empty())
      refuse_type(row.oid, "whose subscripts call " + name);
  }
  for (const TreeRow& check : rows_.domain_checks) {
    bool clock = false;
    const std::string why = refuse_tree(check.tree, clock);
    if (!why.empty()) refuse_type(check.owner, "whose check " + why);
    // A domain of a type that is somebody's own leads there by its base.
  }
  for (const RangeRow& row : rows_.ranges) {
    for (const Oid part : {row.canonical, row.difference}) {
      if (part == 0) continue;
      if (std::string name = refuse_part(part); !name.empty()) refuse_type(row.range, "whose ranges call " + name);
    }
  }
}

void CatalogueJudgement::judge_casts() {
  for (const CastRow& row : rows_.casts) {
    const std::string name = row.function == 0 ? std::string() : refuse_part(row.function);
    const bool own_source = row.source >= kFirstUnpinnedOid, own_target = row.target >= kFirstUnpinnedOid;
    const bool implicit = row.context == 'i';
    if (implicit && own_target) {
      if (!own_source) cast_to_.insert(root_type(row.target));
      types_[row.source].leads_to.push_back(row.target);
    }
    if (name.empty()) continue;
    const std::string cast =
        "cast from " + type_name(row.source) + " to " + type_name(row.target) + " calls " + name;
    if (!own_source && !own_target && implicit) {
      refuse_everything("any statement may use it: the " + cast);
    } else if (!own_source && !own_target) {
      refuse_type(row.target, "whose " + cast);
    }
    if (own_source) refuse_type(row.source, "whose " + cast);
    if (own_target) refuse_type(row.target, "whose " + cast);
  }
}

std::string CatalogueJudgement::refuse_family(Oid family) const {
  for (const FamilyMemberRow& member : rows_.family_members) {
    if (member.family != family) continue;
    if (std::string name = member.is_operator ? refuse_operator(member.object) : refuse_part(member.object);
        !name.empty()) {
      return name;
    }
  }
  return {};
}

void CatalogueJudgement::judge_operator_classes() {
  // Sorting, grouping, DISTINCT and joins take these without being told.
  for (const OperatorClassRow& row : rows_.operator_classes) {
    if (!row.is_default || (row.method != "btree" && row.method != "hash")) continue;
    const std::string name = refuse_family(row.family);
    if (name.empty()) continue;
    if (row.type >= kFirstUnpinnedOid) {
      refuse_type(row.type, "whose default operator class calls " + name);
    } else {
      refuse_everything("sorting and grouping may use it: the default operator class of " + type_name(row.type) +
                        " calls " + name);
    }
  }
  for (const FamilyMemberRow& member : rows_.family_members) {
    if (member.family >= kFirstUnpinnedOid) continue;
    const std::string name = member.is_operator ? refuse_operator(member.object) : refuse_part(member.object);
    if (name.empty()) continue;
    bool own = false;
    for (const Oid type : {member.left, member.right}) {
      if (type < kFirstUnpinnedOid) continue;
      own = true;
      refuse_type(type, "whose operators in a built-in family call " + name);
    }
    if (!own) refuse_everything("any comparison may use it: " + name + " was added to a built-in operator family");
  }
  for (const RangeRow& row : rows_.ranges) {
    const auto own = std::ranges::find(rows_.operator_classes, row.operator_class, &OperatorClassRow::oid);
    if (own == rows_.operator_classes.end()) continue;
    if (std::string name = refuse_family(own->family); !name.empty())
      refuse_type(row.range, "whose ranges call " + name);
  }
}

Oid CatalogueJudgement::root_type(Oid type) const noexcept {
  constexpr int kDeepest = 64;
  for (int depth = 0; depth < kDeepest; ++depth) {
    const TypeNode* node = find_entry(types_, type);
    if (node == nullptr || node->row == nullptr) return type;
    const Oid below = node->row->element != 0 ? node->row->element : node->row->base;
    if (below == 0) return type;
    type = below;
  }
  return type;
}

bool CatalogueJudgement::reachable_anywhere(Oid root) const noexcept {
  if (root < kFirstUnpinnedOid || cast_to_.contains(root)) return true;
  const TypeNode* node = find_entry(types_, root);
  // ROW(...) becomes any composite type, and literals may become a preferred one.
  return node == nullptr || node->kind == 'c' || node->kind == 'p' || node->preferred;
}

std::vector<Oid> CatalogueJudgement::type_closure(std::span<const Oid> from) const {
  // Most closures have a handful of types: they are searched as they stand.
  constexpr std::size_t kFew = 32;
  std::vector<Oid> seen;
  std::unordered_set<Oid> many;
  const auto add = [&](Oid type) {
    if (many.empty() && seen.size() >= kFew) many.insert(seen.begin(), seen.end());
    const bool known = many.empty() ? std::ranges::find(seen, type) != seen.end() : !many.insert(type).second;
    if (!known) seen.push_back(type);
  };
  std::ranges::for_each(from, add);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (const TypeNode* node = find_entry(types_, seen[i])) std::ranges::for_each(node->leads_to, add);
  }
  std::erase_if(seen, [](Oid type) { return type < kFirstUnpinnedOid; });
  std::ranges::sort(seen);
  return seen;
}

std::vector<Oid> CatalogueJudgement::own_types(std::span<const Oid> types) const {
  std::vector<Oid> own;
  for (const Oid type : types) {
    if (type >= kFirstUnpinnedOid) own.push_back(type);
  }
  return type_closure(own);
}

}  // namespace switchyard::inline v0::sql
