// Constants that PostgreSQL reads as a time of today.
#pragma once

#include <string_view>

namespace switchyard::inline v0::sql {

/// The text contains now, today, tomorrow or yesterday, in any case, also where quotes and backslashes inside an
/// array, row or range would keep the letters apart ('{n\ow}'). Not every such text is a time ("snow"): that does
/// no harm.
[[nodiscard]] bool may_be_clock_constant(std::string_view text) noexcept;

}  // namespace switchyard::inline v0::sql
