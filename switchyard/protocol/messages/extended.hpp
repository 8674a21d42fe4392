// The extended query protocol.
#pragma once

#include <switchyard/protocol/messages/message.hpp>

namespace switchyard::inline v0::protocol {

/// Frontend: prepares a statement.
struct SWITCHYARD_API Parse {
  static constexpr char kType = 'P';
  static constexpr std::string_view kName = "Parse";
  std::string_view name;  ///< "" is the unnamed statement
  std::string_view sql;
  OidList types;  ///< of the first parameters; 0 lets the server infer
  [[nodiscard]] static Result<Parse> decode(ByteView body);
  friend bool operator==(const Parse&, const Parse&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const Parse& message) noexcept;

/// Frontend: gives a statement its parameters.
struct SWITCHYARD_API Bind {
  static constexpr char kType = 'B';
  static constexpr std::string_view kName = "Bind";
  std::string_view portal;
  std::string_view statement;
  FormatList formats;  ///< none (all text), one (for all) or one for each
  std::size_t count = 0;
  ByteView values;  ///< for each its int32 length (-1 is NULL) and its bytes
  FormatList result_formats;
  [[nodiscard]] static Result<Bind> decode(ByteView body);
  friend bool operator==(const Bind&, const Bind&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const Bind& message) noexcept;

/// What Describe and Close speak of.
enum class Target : char { statement = 'S', portal = 'P' };

struct SWITCHYARD_API Describe {
  static constexpr char kType = 'D';
  static constexpr std::string_view kName = "Describe";
  Target target = Target::statement;
  std::string_view name;
  [[nodiscard]] static Result<Describe> decode(ByteView body);
  friend bool operator==(const Describe&, const Describe&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const Describe& message) noexcept;

struct SWITCHYARD_API Close {
  static constexpr char kType = 'C';
  static constexpr std::string_view kName = "Close";
  Target target = Target::statement;
  std::string_view name;
  [[nodiscard]] static Result<Close> decode(ByteView body);
  friend bool operator==(const Close&, const Close&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const Close& message) noexcept;

struct SWITCHYARD_API Execute {
  static constexpr char kType = 'E';
  static constexpr std::string_view kName = "Execute";
  std::string_view portal;
  std::int32_t max_rows = 0;  ///< 0 is no limit; PostgreSQL takes negative values as none
  [[nodiscard]] static Result<Execute> decode(ByteView body);
  friend bool operator==(const Execute&, const Execute&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const Execute& message) noexcept;

/// Backend: the types of a statement's parameters.
struct SWITCHYARD_API ParameterDescription {
  static constexpr char kType = 't';
  static constexpr std::string_view kName = "ParameterDescription";
  OidList types;
  [[nodiscard]] static Result<ParameterDescription> decode(ByteView body);
  friend bool operator==(const ParameterDescription&, const ParameterDescription&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const ParameterDescription& message) noexcept;

struct SyncName {
  static constexpr std::string_view text = "Sync";
};
struct FlushName {
  static constexpr std::string_view text = "Flush";
};
struct ParseCompleteName {
  static constexpr std::string_view text = "ParseComplete";
};
struct BindCompleteName {
  static constexpr std::string_view text = "BindComplete";
};
struct CloseCompleteName {
  static constexpr std::string_view text = "CloseComplete";
};
struct NoDataName {
  static constexpr std::string_view text = "NoData";
};
struct PortalSuspendedName {
  static constexpr std::string_view text = "PortalSuspended";
};
using Sync = BodylessMessage<'S', SyncName>;                        ///< frontend
using Flush = BodylessMessage<'H', FlushName>;                      ///< frontend
using ParseComplete = BodylessMessage<'1', ParseCompleteName>;      ///< backend
using BindComplete = BodylessMessage<'2', BindCompleteName>;        ///< backend
using CloseComplete = BodylessMessage<'3', CloseCompleteName>;      ///< backend
using NoData = BodylessMessage<'n', NoDataName>;                    ///< backend
using PortalSuspended = BodylessMessage<'s', PortalSuspendedName>;  ///< backend

}  // namespace switchyard::inline v0::protocol
