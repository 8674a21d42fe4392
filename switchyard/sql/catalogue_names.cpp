// What a name may mean: the entries of functions, operators and types.
#include <switchyard/sql/catalogue_judgement.hpp>

#include <switchyard/sql/allow_list.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace switchyard::inline v0::sql {
namespace {

constexpr Oid kText = 25;

}  // namespace

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
      const TypeNode* own = find_entry(types_, arguments[i]);
      const TypeNode* theirs = find_entry(types_, other[i]);
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
      const TypeNode* node = find_entry(types_, type);
      if (entry.refusal.empty() && node != nullptr) entry.refusal = node->refusal;
    }
    out_->types_[row.name].push_back(std::move(entry));
  }
}

}  // namespace switchyard::inline v0::sql
