// Decides, for every object of a catalogue, whether it is harmless: what CatalogueBuilder::finish() does.
//
// Harmless are listed built-in functions (allow_list.hpp) and what the owner declared safe; operators, types,
// views, policies and tables are as harmless as the functions that using them runs.
#pragma once

#include <switchyard/sql/catalogue.hpp>
#include <switchyard/sql/catalogue_rows.hpp>
#include <switchyard/sql/safe_names.hpp>

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace switchyard::inline v0::sql {

/// The entry of an OID, or null.
template <class Map>
[[nodiscard]] const typename Map::mapped_type* find_entry(const Map& map, Oid oid) noexcept {
  const auto found = map.find(oid);
  return found == map.end() ? nullptr : &found->second;
}

/// Sorted, without repetition.
inline void make_set(std::vector<Oid>& list) {
  std::ranges::sort(list);
  list.erase(std::ranges::unique(list).begin(), list.end());
}

/// One use: make() takes the rows apart.
class CatalogueJudgement {
 public:
  CatalogueJudgement(CatalogueRows rows, std::shared_ptr<const CatalogueRows> system, const SafeNames& safe);
  [[nodiscard]] std::shared_ptr<const CatalogueSnapshot> make();

 private:
  /// A type with what follows from it.
  struct TypeNode {
    const TypeRow* row = nullptr;  ///< null: the row type of a relation
    std::string name;
    char kind = 'b', category = 'U';
    bool preferred = false;
    std::string refusal;        ///< its own
    std::vector<Oid> leads_to;  ///< parts, bases, what its values are cast to by themselves
  };
  /// A relation with what follows from it.
  struct RelationNode {
    const RelationRow* row = nullptr;
    std::string storage_refusal;  ///< of itself and its indexes, also when it is read as somebody's child
    std::string access_refusal;   ///< of its view and policies
    bool clock = false;
    bool declared_safe = false;
    std::vector<Oid> children, reads;
    std::vector<Oid> partition_of;  ///< whose key planning may compute (constraint_exclusion)
    std::vector<Oid> types;         ///< of the values in its view and policies
  };

  void judge_functions();
  void judge_operators();
  void make_type_nodes();
  void judge_types();
  void judge_casts();
  void judge_operator_classes();
  void judge_server();
  void make_relation_nodes();
  void judge_trees(std::span<const TreeRow> trees, const char* what);

  void add_functions();
  void add_operators();
  void add_types();
  void add_relations();

  [[nodiscard]] const FunctionRow* function(Oid oid) const noexcept;
  /// Empty: the function is harmless where somebody calls it, or where a type uses it.
  [[nodiscard]] std::string refuse_call(Oid function) const;
  [[nodiscard]] std::string refuse_part(Oid function) const;
  [[nodiscard]] std::string refuse_operator(Oid oid) const;
  [[nodiscard]] std::string refuse_family(Oid family) const;
  [[nodiscard]] std::string refuse_tree(const NodeTree& tree, bool& clock) const;
  void refuse_type(Oid type, std::string why);
  void refuse_everything(std::string why);
  [[nodiscard]] std::string type_name(Oid type) const;

  /// Arrays become their elements, domains their base.
  [[nodiscard]] Oid root_type(Oid type) const noexcept;
  /// A value of it may be anywhere: it is built in, or comes out of literals, rows and casts that nobody writes
  /// down.
  [[nodiscard]] bool reachable_anywhere(Oid root) const noexcept;
  [[nodiscard]] std::vector<Oid> own_types(std::span<const Oid> types) const;
  [[nodiscard]] std::vector<Oid> type_closure(std::span<const Oid> from) const;
  [[nodiscard]] std::vector<Oid> preferred_without(std::span<const Oid> arguments,
                                                   std::span<const std::vector<Oid>> built_in) const;
  void close_relation(CatalogueRelation& out, Oid oid) const;

  CatalogueRows rows_;
  const SafeNames& safe_;
  std::unordered_set<std::string_view> safe_objects_;
  std::unordered_map<Oid, FunctionRow*> functions_;
  std::unordered_map<Oid, const OperatorRow*> operators_;
  std::unordered_map<Oid, TypeNode> types_;
  std::unordered_map<Oid, RelationNode> relations_;
  std::unordered_set<Oid> cast_to_;  ///< roots that built-in types are cast to by themselves
  std::shared_ptr<CatalogueSnapshot> out_;
};

}  // namespace switchyard::inline v0::sql
