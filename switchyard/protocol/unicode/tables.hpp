// The parts of Unicode 3.2 that SASLprep needs. All tables are sorted by code point.
#pragma once

#include <cstddef>
#include <cstdint>

namespace switchyard::inline v0::protocol::unicode {

struct CodeRange {
  char32_t first;
  char32_t last;
};
extern const CodeRange kNonAsciiSpaces[];
extern const std::size_t kNonAsciiSpacesSize;
extern const CodeRange kMappedToNothing[];
extern const std::size_t kMappedToNothingSize;
extern const CodeRange kProhibited[];
extern const std::size_t kProhibitedSize;
extern const CodeRange kRandAL[];
extern const std::size_t kRandALSize;
extern const CodeRange kLCat[];
extern const std::size_t kLCatSize;

struct Decomposition {
  char32_t code;
  std::uint16_t at;  ///< index into kDecompositionPool
  std::uint16_t size;
};
extern const char32_t kDecompositionPool[];
extern const Decomposition kDecompositions[];
extern const std::size_t kDecompositionsSize;

struct Composition {
  char32_t first;
  char32_t second;
  char32_t composed;
};
extern const Composition kCompositions[];
extern const std::size_t kCompositionsSize;

struct CombiningClass {
  char32_t first;
  char32_t last;
  std::uint8_t value;
};
extern const CombiningClass kCombiningClasses[];
extern const std::size_t kCombiningClassesSize;

}  // namespace switchyard::inline v0::protocol::unicode
