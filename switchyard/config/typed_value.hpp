// From raw values to typed ones, and back to text. Internal.
#pragma once

#include <switchyard/config/fleet_config.hpp>
#include <switchyard/config/raw_value.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::config {

// Each says in its error which value was wrong (unless it may be a secret) and what would be right.
[[nodiscard]] Result<void> convert(const RawValue& raw, const KeySpec& spec, bool& out);
[[nodiscard]] Result<void> convert(const RawValue& raw, const KeySpec& spec, std::uint32_t& out);
[[nodiscard]] Result<void> convert(const RawValue& raw, const KeySpec& spec, std::uint64_t& out);
[[nodiscard]] Result<void> convert(const RawValue& raw, const KeySpec& spec, double& out);
[[nodiscard]] Result<void> convert(const RawValue& raw, const KeySpec& spec, Duration& out);
[[nodiscard]] Result<void> convert(const RawValue& raw, const KeySpec& spec, std::string& out);
[[nodiscard]] Result<void> convert(const RawValue& raw, const KeySpec& spec, Secret& out);
[[nodiscard]] Result<void> convert(const RawValue& raw, const KeySpec& spec, std::vector<std::string>& out);
[[nodiscard]] Result<void> convert(const RawValue& raw, const KeySpec& spec, LaneMode& out);
[[nodiscard]] Result<void> convert(const RawValue& raw, const KeySpec& spec, WhenDown& out);
[[nodiscard]] Result<void> convert(const RawValue& raw, const KeySpec& spec, ServerType& out);
[[nodiscard]] Result<void> convert(const RawValue& raw, const KeySpec& spec, RoleFamily& out);
[[nodiscard]] Result<void> convert(const RawValue& raw, const KeySpec& spec, OwnerCheck& out);
[[nodiscard]] Result<void> convert(const RawValue& raw, const KeySpec& spec, PoolMode& out);
[[nodiscard]] Result<void> convert(const RawValue& raw, const KeySpec& spec, ReadConsistency& out);
[[nodiscard]] Result<void> convert(const RawValue& raw, const KeySpec& spec, SequenceMode& out);
[[nodiscard]] Result<void> convert(const RawValue& raw, const KeySpec& spec, AuditLog& out);

// As the value would be written in the fleet file; secrets masked, connection strings with their password masked.
[[nodiscard]] std::string show(bool value, const KeySpec& spec, std::string_view path);
[[nodiscard]] std::string show(std::uint32_t value, const KeySpec& spec, std::string_view path);
[[nodiscard]] std::string show(std::uint64_t value, const KeySpec& spec, std::string_view path);
[[nodiscard]] std::string show(double value, const KeySpec& spec, std::string_view path);
[[nodiscard]] std::string show(Duration value, const KeySpec& spec, std::string_view path);
[[nodiscard]] std::string show(const std::string& value, const KeySpec& spec, std::string_view path);
[[nodiscard]] std::string show(const Secret& value, const KeySpec& spec, std::string_view path);
[[nodiscard]] std::string show(const std::vector<std::string>& value, const KeySpec& spec, std::string_view path);
[[nodiscard]] std::string show(LaneMode value, const KeySpec& spec, std::string_view path);
[[nodiscard]] std::string show(WhenDown value, const KeySpec& spec, std::string_view path);
[[nodiscard]] std::string show(ServerType value, const KeySpec& spec, std::string_view path);
[[nodiscard]] std::string show(RoleFamily value, const KeySpec& spec, std::string_view path);
[[nodiscard]] std::string show(OwnerCheck value, const KeySpec& spec, std::string_view path);
[[nodiscard]] std::string show(SequenceMode value, const KeySpec& spec, std::string_view path);
[[nodiscard]] std::string show(AuditLog value, const KeySpec& spec, std::string_view path);
[[nodiscard]] std::string show(ReadConsistency value, const KeySpec& spec, std::string_view path);
[[nodiscard]] std::string show(PoolMode value, const KeySpec& spec, std::string_view path);

}  // namespace switchyard::inline v0::config
