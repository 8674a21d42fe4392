// Simple query, function call, and the ends of commands.
#pragma once

#include <switchyard/protocol/messages/message.hpp>

#include <optional>
#include <span>

namespace switchyard::inline v0::protocol {

/// Frontend: one or more statements in one text.
struct SWITCHYARD_API Query {
  static constexpr char kType = 'Q';
  static constexpr std::string_view kName = "Query";
  std::string_view sql;
  [[nodiscard]] static Result<Query> decode(ByteView body);
  friend bool operator==(const Query&, const Query&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const Query& message) noexcept;

/// Backend: a statement is done.
struct SWITCHYARD_API CommandComplete {
  static constexpr char kType = 'C';
  static constexpr std::string_view kName = "CommandComplete";
  std::string_view tag;  ///< "SELECT 3"
  [[nodiscard]] static Result<CommandComplete> decode(ByteView body);
  friend bool operator==(const CommandComplete&, const CommandComplete&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const CommandComplete& message) noexcept;

/// Backend: the next query can come.
struct SWITCHYARD_API ReadyForQuery {
  static constexpr char kType = 'Z';
  static constexpr std::string_view kName = "ReadyForQuery";
  char status = 'I';  ///< 'I' idle, 'T' in a transaction, 'E' in a failed transaction
  [[nodiscard]] static Result<ReadyForQuery> decode(ByteView body);
  friend bool operator==(const ReadyForQuery&, const ReadyForQuery&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const ReadyForQuery& message) noexcept;

struct EmptyQueryResponseName {
  static constexpr std::string_view text = "EmptyQueryResponse";
};
using EmptyQueryResponse = BodylessMessage<'I', EmptyQueryResponseName>;

/// Frontend: calls a function by OID (obsolete, but PostgreSQL still speaks it).
struct SWITCHYARD_API FunctionCall {
  static constexpr char kType = 'F';
  static constexpr std::string_view kName = "FunctionCall";
  Oid function = 0;
  FormatList formats;
  std::size_t argument_count = 0;
  ByteView arguments;  ///< for each its int32 length (-1 is NULL) and its bytes
  std::int16_t result_format = 0;
  [[nodiscard]] static Result<FunctionCall> decode(ByteView body);
  friend bool operator==(const FunctionCall&, const FunctionCall&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const FunctionCall& message) noexcept;

/// Backend: its result.
struct SWITCHYARD_API FunctionCallResponse {
  static constexpr char kType = 'V';
  static constexpr std::string_view kName = "FunctionCallResponse";
  std::optional<ByteView> value;  ///< nothing is NULL
  [[nodiscard]] static Result<FunctionCallResponse> decode(ByteView body);
  friend bool operator==(const FunctionCallResponse&, const FunctionCallResponse&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const FunctionCallResponse& message) noexcept;

}  // namespace switchyard::inline v0::protocol
