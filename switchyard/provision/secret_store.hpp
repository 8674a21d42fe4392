// The folder that keeps passwords: a file for each role, mode 0600, in a folder of mode 0700. Files are replaced,
// never written to: whoever reads one sees the old password or the new, and a crash leaves one of them.
//
// A rotation goes through FILE.next (session/password_file.hpp):
//
//   propose(file)   FILE.next is written: from now on clients try it when they are refused
//   ...             the server is told
//   adopt(file)     FILE becomes FILE.previous, FILE.next becomes FILE
//
// A process that is killed in between leaves FILE.next behind; the next one tells the server the same again, and
// adopts.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/secret.hpp>

#include <optional>
#include <string>

namespace switchyard::inline v0::provision {

/// 32 letters and digits from OpenSSL's generator: 190 bits.
[[nodiscard]] SWITCHYARD_API Result<Secret> make_password();

/// What the file holds; nothing if it is not there.
[[nodiscard]] SWITCHYARD_API std::optional<Secret> kept_password(const std::string& file);

/// Writes a new file, durably. The folder is made if it is missing. Config errors: it can't be written.
[[nodiscard]] SWITCHYARD_API Result<void> keep_password(const std::string& file, const Secret& password);

/// FILE.next as an earlier run has left it, else a new one.
[[nodiscard]] SWITCHYARD_API Result<Secret> propose_password(const std::string& file);
[[nodiscard]] SWITCHYARD_API bool is_proposed(const std::string& file);
[[nodiscard]] SWITCHYARD_API Result<void> adopt_password(const std::string& file);

}  // namespace switchyard::inline v0::provision
