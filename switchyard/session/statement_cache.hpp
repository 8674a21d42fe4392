// The prepared statements of one session: least recently used goes first. A plain data structure; the session sends
// the Parse and Close messages.
#pragma once

#include <switchyard/base/bytes.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/protocol/row.hpp>
#include <switchyard/session/answer_forecast.hpp>
#include <switchyard/session/residue.hpp>

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace switchyard::inline v0::session {

/// What a session knows of a statement that the server has prepared for it.
struct PreparedStatement {
  std::string name;  ///< on the server; empty = the unnamed statement
  std::string sql;
  std::vector<Oid> parameter_types;                             ///< as sent in Parse
  std::shared_ptr<const protocol::RowDescription> description;  ///< null when it returns no rows
  std::shared_ptr<const protocol::RowDescription>
      native;                       ///< the same with the formats of untyped rows; made when asked
  bool described = false;           ///< the server has confirmed it
  std::optional<Residue> residue;   ///< none = not known yet
  bool forgets_statements = false;  ///< it may drop prepared statements
  AnswerForecast answer;
};

/// Keyed by text and parameter types. Entries have stable addresses until they are evicted or removed.
class SWITCHYARD_API StatementCache {
 public:
  /// `capacity` 0 turns preparing off: every statement is sent unnamed (PgBouncer before 1.21 in transaction mode
  /// needs that).
  explicit StatementCache(std::size_t capacity) : capacity_(capacity) {}

  /// The entry, moved to the front, or null.
  [[nodiscard]] PreparedStatement* find(std::string_view sql, std::span<const Oid> types) noexcept;

  /// Evicts the least recently used entries so that `wanted` new ones fit (as far as the capacity allows); their
  /// server names are appended to `evicted`, for the caller to Close.
  void make_room(std::size_t wanted, std::vector<std::string>& evicted);
  /// Adds an entry with a fresh server name. Never evicts, so entries found since make_room() stay valid.
  PreparedStatement& add(std::string_view sql, std::span<const Oid> types);

  /// Forgets the entry (its Parse failed, or the server dropped it). The pointer is dead afterwards.
  void remove(const PreparedStatement* entry) noexcept;
  /// Forgets everything: DISCARD ALL or DEALLOCATE ALL ran.
  void clear() noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

 private:
  struct Key {
    std::string_view sql;
    std::span<const Oid> types;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const noexcept;
  };
  struct Equal {
    bool operator()(const Key& a, const Key& b) const noexcept;
  };
  using List = std::list<PreparedStatement>;

  std::size_t capacity_;
  std::uint64_t next_name_ = 0;
  List entries_;  // front = most recently used
  std::unordered_map<Key, List::iterator, Hash, Equal> index_;
};

}  // namespace switchyard::inline v0::session
