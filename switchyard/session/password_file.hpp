// A password that a file holds and somebody changes while clients work (`switchyard provision rotate`).
//
// The server takes one password of a role at a time, and a client can't know which it is at this moment. So the
// file has neighbours while it changes:
//
//   FILE.next      what the server is told next, written before it is told
//   FILE           what was good last
//   FILE.previous  what FILE held before; replicas may not have heard of the change yet
//
// Whoever is refused with one of them (28P01, 28000) reads all three and tries the others, once each. One of them
// is right at every moment, so nobody is refused.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/secret.hpp>

#include <string>
#include <vector>

namespace switchyard::inline v0::session {

inline constexpr const char* kNextPassword = ".next";
inline constexpr const char* kPreviousPassword = ".previous";

/// What the file holds now, without the line's end; empty if it can't be read, or holds more than a password's
/// length (1 kB).
[[nodiscard]] SWITCHYARD_API Secret read_password(const std::string& file);

/// FILE, FILE.next, FILE.previous: those that are there, each password once.
[[nodiscard]] SWITCHYARD_API std::vector<Secret> password_candidates(const std::string& file);

}  // namespace switchyard::inline v0::session
