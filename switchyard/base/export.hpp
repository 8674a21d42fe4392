// Visibility of public symbols: the shared library hides everything else.
#pragma once

#if defined(__GNUC__)
#define SWITCHYARD_API __attribute__((visibility("default")))
#else
#define SWITCHYARD_API
#endif
