// Every codec of the library.
#pragma once

#include <switchyard/values/array.hpp>          // IWYU pragma: export
#include <switchyard/values/codec.hpp>          // IWYU pragma: export
#include <switchyard/values/codec_numbers.hpp>  // IWYU pragma: export
#include <switchyard/values/codec_text.hpp>     // IWYU pragma: export
#include <switchyard/values/codec_types.hpp>    // IWYU pragma: export
#include <switchyard/values/composite.hpp>      // IWYU pragma: export
#include <switchyard/values/enums.hpp>          // IWYU pragma: export
#include <switchyard/values/range.hpp>          // IWYU pragma: export
