# Which compilers are refused, and the flags of every target.

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  message(FATAL_ERROR
    "Switchyard is built with clang 19: GCC 12 miscompiles C++20 coroutines (aggregate temporaries and lambdas "
    "inside co_await expressions are destroyed twice or never).\n"
    "Next step: ./setup, then cmake --preset release. Programs that use the installed library may be built with "
    "GCC 13 or newer.")
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  message(FATAL_ERROR "Switchyard is built with clang 19 or newer, this is ${CMAKE_CXX_COMPILER_VERSION}. "
    "Next step: ./setup, then cmake --preset release.")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
set(CMAKE_LINK_DEPENDS_NO_SHARED ON)
# Optimised, with debug information, with the library's assertions (no -DNDEBUG). Sanitized code is optimised less,
# so that reports name the right lines.
if(SWITCHYARD_SANITIZE)
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")
else()
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
endif()
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")

# ccache: precompiled headers need its sloppiness (and -fno-pch-timestamp); the base folder lets another clone of the
# repository share the cache.
find_program(SWITCHYARD_CCACHE ccache)
if(SWITCHYARD_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_NOHASHDIR=1
    "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" "${SWITCHYARD_CCACHE}")
endif()
find_program(SWITCHYARD_LLD ld.lld-19)
if(SWITCHYARD_LLD)
  add_link_options("-fuse-ld=${SWITCHYARD_LLD}")
endif()

if(SWITCHYARD_DEVELOPER)
  add_compile_options(-Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -Wold-style-cast
    -Wimplicit-fallthrough -Wno-missing-field-initializers)
endif()
if(SWITCHYARD_SANITIZE)
  add_compile_options(-fsanitize=${SWITCHYARD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SWITCHYARD_SANITIZE})
endif()
if(SWITCHYARD_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
endif()
