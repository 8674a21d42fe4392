// The statements that clients prepare, each kept once: whoever prepares the same text with the same parameter types
// under the same settings means the same statement, and a session needs it once for all of them. Internal to the
// room.
#pragma once

#include <switchyard/base/bytes.hpp>
#include <switchyard/gateway/client_text.hpp>
#include <switchyard/gateway/setting_sets.hpp>

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace switchyard::inline v0::gateway {

struct Intern {
  std::uint32_t number = 0;
  /// The body of a Parse message behind the name: text, zero byte, number and OIDs of the types.
  std::string body;
  /// Constants in the text were read under these.
  SettingsRef settings;
  std::string server_name;
  ClientText text;
  std::uint32_t uses = 0;
  /// Of EXECUTE: the statement that it names.
  std::shared_ptr<Intern> executes;
  /// What clients were told first of its columns: a RowDescription's body, with all formats text. Empty: nothing
  /// yet.
  std::string columns;

  [[nodiscard]] std::string_view sql() const noexcept { return std::string_view(body).substr(0, body.find('\0')); }
  /// Of the parameters, as far as the client says; 0: the server finds out.
  [[nodiscard]] std::vector<std::uint32_t> types() const;
};
using InternRef = std::shared_ptr<Intern>;

class Interns {
 public:
  /// Statements of clients are kept as long as a client has a name for them; beside those so many bytes of texts,
  /// the settings that they were read under, and their columns.
  static constexpr std::size_t kMaxBytes = 16 << 20;

  /// `prefix` begins the names on the server; others can't foresee it.
  explicit Interns(std::string prefix) : prefix_(std::move(prefix)) {}

  /// The statement, counted as used once more. `read` makes the text's meaning when it is new, or was not judged.
  template <class Read>
  [[nodiscard]] InternRef find_or_add(std::string_view body, const SettingsRef& settings, Read read) {
    Intern& intern = look_up(body, settings);
    ++intern.uses;
    if (intern.uses == 1 || !intern.text.judged) intern.text = read(intern.sql());
    return by_key_.find(Key{body, settings.get()})->second->intern;
  }

  /// What its clients are told of its columns.
  void set_columns(Intern& intern, std::string columns);

  /// The catalogue has changed: the same text may mean something else now. Who has a statement keeps it.
  void begin_epoch() noexcept {
    by_key_.clear();
    entries_.clear();
    bytes_ = 0;
  }

  template <class Each>
  void each(Each each) const {
    for (const Entry& entry : entries_)
      each(*entry.intern, static_cast<std::uint32_t>(entry.intern.use_count() - 1));
  }
  [[nodiscard]] const std::string& prefix() const noexcept { return prefix_; }
  [[nodiscard]] std::size_t size() const noexcept { return by_key_.size(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  struct Key {
    std::string_view body;
    const void* settings;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const noexcept {
      return std::hash<std::string_view>()(key.body) ^ (std::hash<const void*>()(key.settings) << 1);
    }
  };
  struct Entry {
    InternRef intern;
    std::size_t bytes = 0;
  };

  [[nodiscard]] Intern& look_up(std::string_view body, const SettingsRef& settings);
  void make_room();

  std::string prefix_;
  std::uint32_t last_number_ = 0;
  std::size_t bytes_ = 0;
  std::list<Entry> entries_;  ///< used last in front
  std::unordered_map<Key, std::list<Entry>::iterator, Hash> by_key_;
};

}  // namespace switchyard::inline v0::gateway
