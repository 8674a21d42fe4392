// Every bound of the protocol room, with its reason.
#pragma once

#include <cstddef>
#include <cstdint>

namespace switchyard::inline v0::protocol {

/// Setting max_message_size, default and maximum: PostgreSQL allocates at most 1 GB - 1 for one message.
inline constexpr std::uint32_t kMaxMessageSize = 0x3fffffff;
/// Messages that carry neither data nor free text stay below this, as libpq demands of a server.
inline constexpr std::uint32_t kMaxShortMessageSize = 30'000;
/// Authentication messages of a server; libpq refuses larger ones as well.
inline constexpr std::uint32_t kMaxAuthenticationSize = 2'000;
/// StartupMessage and its relatives, as PostgreSQL accepts them (MAX_STARTUP_PACKET_LENGTH).
inline constexpr std::uint32_t kMaxStartupPacketSize = 10'000;
/// Client messages without data (Sync, Execute ...), as PostgreSQL accepts them (PQ_SMALL_MESSAGE_LIMIT).
inline constexpr std::uint32_t kMaxShortClientMessageSize = 10'000;
/// Passwords and SASL tokens of a client, as PostgreSQL accepts them (PG_MAX_AUTH_TOKEN_LENGTH).
inline constexpr std::uint32_t kMaxClientTokenSize = 65'535;
/// Bind counts its parameters in 16 unsigned bits.
inline constexpr std::size_t kMaxParameters = 65'535;
/// Steps that may wait for their answers on one session: 16 MB of bookkeeping.
inline constexpr std::size_t kMaxOutstandingSteps = std::size_t{1} << 20;
/// Protocol 3.2 allows keys of 4 to 256 bytes; protocol 3.0 has exactly 4.
inline constexpr std::size_t kMinCancelKeySize = 4;
inline constexpr std::size_t kMaxCancelKeySize = 256;
/// Setting scram_max_iterations. PostgreSQL's default is 4096; a hostile server that asks for 2^31 would keep the
/// client busy for an hour. 100 000 costs about 30 ms.
inline constexpr std::uint32_t kDefaultScramMaxIterations = 100'000;
/// ParameterStatus messages during startup: PostgreSQL sends about 15.
inline constexpr std::size_t kMaxStartupParameters = 1'000;

}  // namespace switchyard::inline v0::protocol
