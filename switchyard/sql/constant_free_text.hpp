// Texts that differ in constants only are one statement: `... WHERE id = 4711` and `... WHERE id = 4712`. Here the
// constants that can be told apart without parsing are taken out and become parameters, so that one verdict, one
// prepared statement and one history serve the whole family.
//
// What is taken out: integers, decimals and plain strings that stand alone (the next token ends the expression)
//   - behind  =  <>  !=  <  <=  >  >=,
//   - in a list behind IN,
//   - behind BETWEEN, and behind the AND of a BETWEEN whose lower bound was taken out,
//   - behind LIMIT and OFFSET (integers only).
// An integer is typed as PostgreSQL types it (int4, int8, numeric by its size, numeric with a point or an
// exponent), a string is left to the server as the constant would be: operators are chosen by the same types, so
// the statement means the same. The class of a constant is part of the family's text, by the parameter's type.
//
// Everything doubtful stays as it is: signs, casts, strings that may be a time of today, strings with a prefix or a
// backslash. Texts with parameters, dollar quotes or tokens that are not understood are no family at all. An error
// of a statement that was run this way is not that of the text (its position is another): run the text then.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/base/bytes.hpp>
#include <switchyard/base/export.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::sql {

/// Further constants stay in the text.
inline constexpr std::size_t kMostConstants = 64;

/// Keeps its memory between uses.
class SWITCHYARD_API ConstantFreeText {
 public:
  /// False: nothing can be taken out, and what was held is not valid. May throw bad_alloc.
  [[nodiscard]] bool assign(std::string_view sql);

  /// With $1, $2 ... in the places of the constants.
  [[nodiscard]] std::string_view text() const noexcept { return text_; }
  /// OIDs for Parse; 0 for strings.
  [[nodiscard]] std::span<const Oid> types() const noexcept { return types_; }
  /// As Bind has them, in text format: for each its int32 length and its bytes.
  [[nodiscard]] ByteView values() const noexcept { return values_.view(); }

 private:
  class Reader;
  std::string text_;
  std::vector<Oid> types_;
  base::WriteBuffer values_;
};

}  // namespace switchyard::inline v0::sql
