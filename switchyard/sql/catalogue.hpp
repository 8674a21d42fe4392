// What one database's catalogue means for shared sessions: for each name that a statement may use, everything it
// can mean and whether that is harmless. Immutable; made by CatalogueBuilder, read by judge().
//
// Names are not resolved through search_path, whose value is the session's: a name clears only if all that it could
// mean does. What is left out: temporary objects (a session that is shared never has any).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace switchyard::inline v0::sql {

/// A function or an operator.
struct CatalogueCallable {
  std::string schema;
  bool clears = false;
  bool clock = false;        ///< no Sync is shared
  bool text_search = false;  ///< see CatalogueSnapshot::text_search_refusal
  bool takes_one = false;    ///< can be called with one argument, so also as `x.f`
  /// Types of its arguments and of its result, when it clears and somebody made them.
  std::vector<std::uint32_t> types;
  /// Not empty: it can be meant only where a value of one of these types may be, for something built in would be
  /// preferred otherwise.
  std::vector<std::uint32_t> only_with;
};

struct CatalogueRelation {
  std::string schema;
  /// What makes it unfit, as the end of "reads x, ..."; empty: it clears.
  std::string refusal;
  bool clock = false;        ///< its view or policies look at the clock
  bool replica_safe = true;  ///< permanent, and so is all that it reads
  std::uint32_t row_type = 0;
  std::vector<std::uint32_t> types;  ///< of values in it that somebody made; sorted
};

struct CatalogueType {
  std::string schema;
  std::string refusal;  ///< the end of "uses the type x, ..."
  std::uint32_t oid = 0;
  bool pseudo = false;  ///< such as record or trigger: nothing is cast to it
  /// Itself and those its values may contain or become by themselves; only what somebody made. Sorted.
  std::vector<std::uint32_t> types;
};

struct CatalogueRows;

class CatalogueSnapshot {
 public:
  /// Not empty: nothing at all may share in this database, and why.
  [[nodiscard]] const std::string& refusal() const noexcept { return refusal_; }
  /// Not empty: functions of text search do not clear.
  [[nodiscard]] const std::string& text_search_refusal() const noexcept { return text_search_refusal_; }
  /// Names outside ASCII are folded as a statement's facts assume it.
  [[nodiscard]] bool utf8() const noexcept { return utf8_; }

  /// Everything of that name, in any schema.
  [[nodiscard]] std::span<const CatalogueCallable> functions(std::string_view name) const noexcept {
    return find(functions_, name);
  }
  [[nodiscard]] std::span<const CatalogueCallable> operators(std::string_view name) const noexcept {
    return find(operators_, name);
  }
  [[nodiscard]] std::span<const CatalogueRelation> relations(std::string_view name) const noexcept {
    return find(relations_, name);
  }
  /// Types of their own; those that belong to a relation of the name are not among them.
  [[nodiscard]] std::span<const CatalogueType> types(std::string_view name) const noexcept {
    return find(types_, name);
  }
  /// Of a type that somebody made: as CatalogueType::types. Null when it is not known.
  [[nodiscard]] const std::vector<std::uint32_t>* types_of(std::uint32_t type) const noexcept;
  /// The first of these types that does not clear: "app.checked, whose check calls app.valid()". Empty when all do.
  [[nodiscard]] std::string unfit_type(std::span<const std::uint32_t> types) const;

  /// For people: how much it holds.
  [[nodiscard]] std::size_t relation_count() const noexcept { return relation_count_; }
  [[nodiscard]] std::size_t function_count() const noexcept { return function_count_; }

 private:
  friend class CatalogueBuilder;
  friend class CatalogueJudgement;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
  };
  template <class T>
  using ByName = std::unordered_map<std::string, std::vector<T>, Hash, std::equal_to<>>;
  template <class T>
  static std::span<const T> find(const ByName<T>& map, std::string_view name) noexcept {
    const auto found = map.find(name);
    return found == map.end() ? std::span<const T>() : std::span<const T>(found->second);
  }

  std::string refusal_;
  std::string text_search_refusal_;
  bool utf8_ = false;
  ByName<CatalogueCallable> functions_;
  ByName<CatalogueCallable> operators_;
  ByName<CatalogueRelation> relations_;
  ByName<CatalogueType> types_;
  struct Unfit {
    std::string name, refusal;
  };
  std::unordered_map<std::uint32_t, Unfit> unfit_types_;
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> own_types_;
  std::shared_ptr<const CatalogueRows> system_;  ///< for the next snapshot
  std::size_t relation_count_ = 0;
  std::size_t function_count_ = 0;
};

}  // namespace switchyard::inline v0::sql
