#include <switchyard/base/units.hpp>
#include <switchyard/fleet/spool_entry.hpp>
#include <switchyard/fleet/statement_text.hpp>
#include <switchyard/session/effects.hpp>

#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kSummaryLength = 120;

Result<Parameters> copy_of(const Parameters& parameters) {
  Parameters copy;
  SY_TRY(copy.restore(parameters.types(), parameters.formats(), parameters.value_bytes()));
  return copy;
}

void put_set(base::WriteBuffer& out, const Parameters& set) noexcept {
  out.put_u16(static_cast<std::uint16_t>(set.size()));
  for (std::size_t i = 0; i < set.size(); ++i) {
    out.put_u32(set.types()[i]);
    out.put_i16(set.formats()[i]);
  }
  const ByteView values = set.value_bytes();
  out.put_u32(static_cast<std::uint32_t>(values.size()));
  out.put(values);
}

/// Reads from the front; after the first shortage everything is empty and ok() is false.
class Reader {
 public:
  explicit Reader(ByteView bytes) noexcept : rest_(bytes) {}
  template <class T>
  T number() noexcept {
    if (!need(sizeof(T))) return {};
    const T value = base::load_be<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return value;
  }
  ByteView bytes(std::size_t size) noexcept {
    if (!need(size)) return {};
    const ByteView out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  /// A count of things that take at least `each` bytes.
  std::size_t count(std::size_t announced, std::size_t each) noexcept {
    return need(announced * each) ? announced : 0;
  }
  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }

 private:
  bool need(std::size_t size) noexcept {
    if (ok_ && rest_.size() < size) {
      ok_ = false;
      rest_ = {};
    }
    return ok_;
  }
  ByteView rest_;
  bool ok_ = true;
};

// The least that a statement and a set of parameters take.
constexpr std::size_t kLeastStatement = 8;
constexpr std::size_t kLeastSet = 6;
constexpr std::size_t kLeastParameter = 6;

Error malformed(std::string_view place) {
  return Error(ErrorKind::Protocol, "a spool entry is malformed: " + std::string(place));
}

Result<Parameters> read_set(Reader& in) {
  const std::size_t count = in.count(in.number<std::uint16_t>(), kLeastParameter);
  std::vector<Oid> types(count);
  std::vector<std::int16_t> formats(count);
  for (std::size_t i = 0; i < count; ++i) {
    types[i] = in.number<std::uint32_t>();
    formats[i] = in.number<std::int16_t>();
  }
  const ByteView values = in.bytes(in.number<std::uint32_t>());
  if (!in.ok()) return malformed("its parameters are cut off");
  Parameters set;
  if (!set.restore(types, formats, values).ok()) return malformed("its parameters do not belong together");
  return set;
}

}  // namespace

std::string_view why_not_spooled(std::string_view sql) noexcept {
  return session::may_affect_session(sql)
             ? "it controls transactions, changes its session or is not recognised, so it can't be run later"
             : std::string_view();
}

Result<void> append_to_entry(SpoolEntry& entry, const session::OperationState& operation) {
  if (operation.script) return Error(ErrorKind::Usage, "a script can't be kept: use execute(), or batch()");
  for (const session::StatementPart& part : operation.parts) {
    if (const std::string_view reason = why_not_spooled(part.sql); !reason.empty()) {
      return Error(ErrorKind::Usage, "the statement can't be kept: " + std::string(reason));
    }
  }
  for (const session::StatementPart& part : operation.parts) {
    SpoolStatement& statement = entry.emplace_back();
    statement.sql = part.sql;
    auto first = copy_of(part.parameters);
    if (!first.ok()) return first.error();
    statement.sets.push_back(std::move(*first));
  }
  for (const Parameters& repeat : operation.repeats) {
    auto copy = copy_of(repeat);
    if (!copy.ok()) return copy.error();
    entry.back().sets.push_back(std::move(*copy));
  }
  return {};
}

Result<std::string> encode_entry(const SpoolEntry& entry) {
  base::WriteBuffer out;
  out.put_u8(kVersion);
  out.put_u32(static_cast<std::uint32_t>(entry.size()));
  for (const SpoolStatement& statement : entry) {
    out.put_u32(static_cast<std::uint32_t>(statement.sql.size()));
    out.put(statement.sql);
    out.put_u32(static_cast<std::uint32_t>(statement.sets.size()));
    for (const Parameters& set : statement.sets) put_set(out, set);
    if (out.failed() || out.size() > kMaxSpoolEntryBytes) {
      return Error(ErrorKind::Usage,
                   "the write is larger than " + format_size(kMaxSpoolEntryBytes) + ", the limit of a spool entry")
          .with_hint("write less at once while the database is down");
    }
  }
  return std::string(out.view());
}

Result<SpoolEntry> decode_entry(ByteView bytes) {
  Reader in(bytes);
  const auto version = in.number<std::uint8_t>();
  if (in.ok() && version != kVersion) {
    return malformed("version " + std::to_string(version) + " is not known here");
  }
  SpoolEntry entry;
  const std::size_t statements = in.count(in.number<std::uint32_t>(), kLeastStatement);
  for (std::size_t i = 0; i < statements; ++i) {
    SpoolStatement& statement = entry.emplace_back();
    statement.sql = in.bytes(in.number<std::uint32_t>());
    const std::size_t sets = in.count(in.number<std::uint32_t>(), kLeastSet);
    for (std::size_t k = 0; k < sets; ++k) {
      auto set = read_set(in);
      if (!set.ok()) return set.error();
      statement.sets.push_back(std::move(*set));
    }
    if (!in.ok()) return malformed("statement " + std::to_string(i + 1) + " is cut off");
    if (statement.sets.empty()) return malformed("statement " + std::to_string(i + 1) + " has no parameter set");
  }
  if (!in.ok()) return malformed("it is cut off");
  if (!in.at_end()) return malformed("something follows its end");
  return entry;
}

std::string summary_of(const SpoolEntry& entry) {
  if (entry.empty()) return {};
  std::string text = shortened_statement(entry.front().sql, kSummaryLength);
  if (entry.front().sets.size() > 1) text += " (" + std::to_string(entry.front().sets.size()) + " times)";
  if (entry.size() > 1) text += " (and " + std::to_string(entry.size() - 1) + " more)";
  return text;
}

}  // namespace switchyard::inline v0::fleet
