#include <switchyard/sql/allow_list.hpp>
#include <switchyard/sql/catalogue_judgement.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace switchyard::inline v0::sql {
namespace {

constexpr std::string_view kPgCatalog = "pg_catalog";
constexpr Oid kText = 25;
constexpr Oid kLargeObjects = 2613;
constexpr Oid kFunctionCatalogue = 1255, kOperatorCatalogue = 2617, kOperatorClassCatalogue = 2616;

/// Encodings in which a byte below 128 is always the ASCII character: what the text is split at means the same to
/// the server. All others of PostgreSQL have several bytes a character.
bool encoding_clears(std::string_view name) noexcept {
  return name == "UTF8" || name == "SQL_ASCII" || name.starts_with("LATIN") || name.starts_with("WIN") ||
         name.starts_with("ISO_8859_") || name.starts_with("KOI8");
}

void make_set(std::vector<Oid>& list) {
  std::ranges::sort(list);
  list.erase(std::ranges::unique(list).begin(), list.end());
}

template <class Map>
const typename Map::mapped_type* find(const Map& map, Oid oid) noexcept {
  const auto found = map.find(oid);
  return found == map.end() ? nullptr : &found->second;
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

// Types

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
  const TypeNode* node = find(types_, type);
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

Oid CatalogueJudgement::root_type(Oid type) const noexcept {
  constexpr int kDeepest = 64;
  for (int depth = 0; depth < kDeepest; ++depth) {
    const TypeNode* node = find(types_, type);
    if (node == nullptr || node->row == nullptr) return type;
    const Oid below = node->row->element != 0 ? node->row->element : node->row->base;
    if (below == 0) return type;
    type = below;
  }
  return type;
}

bool CatalogueJudgement::reachable_anywhere(Oid root) const noexcept {
  if (root < kFirstUnpinnedOid || cast_to_.contains(root)) return true;
  const TypeNode* node = find(types_, root);
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
    if (const TypeNode* node = find(types_, seen[i])) std::ranges::for_each(node->leads_to, add);
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

// What a name may mean

// PostgreSQL (manual chapter 10) can choose a function with an argument of type T only for a value of type T or for
// one without a type: a literal, NULL, a parameter. With literals only it prefers, of two functions that are equal
// in their other arguments, the one that takes text, and can't decide between a built-in type and one that is not a
// string type. So where no value of type T can be, such a function is not meant.
std::vector<Oid> CatalogueJudgement::preferred_without(std::span<const Oid> arguments,
                                                       std::span<const std::vector<Oid>> built_in) const {
  std::vector<Oid> special(arguments.size(), 0);
  std::vector<Oid> types;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Oid root = root_type(arguments[i]);
    if (reachable_anywhere(root)) continue;
    special[i] = root;
    types.push_back(root);
  }
  if (types.empty()) return {};
  const auto stands_before = [&](const std::vector<Oid>& other) {
    if (other.size() != arguments.size()) return false;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      if (special[i] == 0) {
        if (other[i] != arguments[i]) return false;
        continue;
      }
      const TypeNode* own = find(types_, arguments[i]);
      const TypeNode* theirs = find(types_, other[i]);
      if (own == nullptr || theirs == nullptr || theirs->kind == 'p' || other[i] >= kFirstUnpinnedOid) return false;
      if (own->category == 'S' && other[i] != kText) return false;
    }
    return true;
  };
  if (!std::ranges::any_of(built_in, stands_before)) return {};
  make_set(types);
  return types;
}

void CatalogueJudgement::add_functions() {
  std::unordered_map<std::string_view, std::vector<std::vector<Oid>>> built_in;
  for (const FunctionRow& row : rows_.functions) {
    if (row.oid < kFirstUnpinnedOid && !row.variadic && row.defaults == 0)
      built_in[row.name].push_back(row.arguments);
  }
  for (const FunctionRow& row : rows_.functions) {
    CatalogueCallable entry;
    entry.schema = row.schema;
    entry.clears = refuse_call(row.oid).empty();
    entry.clock = (row.flags & AllowedFunction::clock) != 0;
    entry.text_search = (row.flags & AllowedFunction::text_search) != 0;
    entry.takes_one = !row.arguments.empty() &&
                      row.arguments.size() - std::min<std::size_t>(row.defaults, row.arguments.size()) <= 1;
    if (row.oid >= kFirstUnpinnedOid) {
      if (entry.clears) {
        std::vector<Oid> types = row.arguments;
        types.push_back(row.result);
        entry.types = own_types(types);
      } else if (!row.variadic && row.defaults == 0 && !row.named_arguments) {
        if (const auto found = built_in.find(row.name); found != built_in.end()) {
          entry.only_with = preferred_without(row.arguments, found->second);
        }
      }
    }
    ++out_->function_count_;
    out_->functions_[row.name].push_back(std::move(entry));
  }
}

void CatalogueJudgement::add_operators() {
  std::unordered_map<std::string_view, std::vector<std::vector<Oid>>> built_in;
  const auto operands = [](const OperatorRow& row) {
    return row.left == 0 ? std::vector<Oid>{row.right} : std::vector<Oid>{row.left, row.right};
  };
  for (const OperatorRow& row : rows_.operators) {
    if (row.oid < kFirstUnpinnedOid) built_in[row.name].push_back(operands(row));
  }
  for (const OperatorRow& row : rows_.operators) {
    CatalogueCallable entry;
    entry.schema = row.schema;
    entry.clears = row.clears;
    if (const FunctionRow* code = function(row.function)) {
      entry.clock = (code->flags & AllowedFunction::clock) != 0;
      entry.text_search = (code->flags & AllowedFunction::text_search) != 0;
    }
    if (row.oid >= kFirstUnpinnedOid && !entry.clears) {
      if (const auto found = built_in.find(row.name); found != built_in.end()) {
        entry.only_with = preferred_without(operands(row), found->second);
      }
    }
    out_->operators_[row.name].push_back(std::move(entry));
  }
}

void CatalogueJudgement::add_types() {
  for (const auto& [oid, node] : types_) {
    if (!node.refusal.empty()) out_->unfit_types_[oid] = {.name = node.name, .refusal = node.refusal};
    if (oid < kFirstUnpinnedOid) continue;
    const std::array<Oid, 1> self{oid};
    out_->own_types_[oid] = type_closure(self);
  }
  for (const TypeRow& row : rows_.types) {
    CatalogueType entry;
    entry.schema = row.schema;
    entry.oid = row.oid;
    entry.pseudo = row.kind == 'p';
    const std::array<Oid, 1> self{row.oid};
    entry.types = type_closure(self);
    // A cast to a domain or an array is a cast to what is below it, which may be built in.
    for (const Oid type : {row.oid, root_type(row.oid)}) {
      const TypeNode* node = find(types_, type);
      if (entry.refusal.empty() && node != nullptr) entry.refusal = node->refusal;
    }
    out_->types_[row.name].push_back(std::move(entry));
  }
}

// Relations

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
    const RelationNode* node = find(relations_, visit.oid);
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
