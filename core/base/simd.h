// The loops that touch every byte of a body, in the widest form the processor has (chosen once at
// run time: AVX2 or SSE2 on x86-64, eight bytes at a time elsewhere). For scanners of JSON; any
// thread.
#pragma once

#include <cstddef>

namespace gproxy::simd {

enum class Level { portable, sse2, avx2 };
Level level();
// For tests and benches: uses at most `highest`; not while other threads scan.
void limit_level(Level highest);

// The index of the first '"', '\' or byte below 0x20 in [text, text + size), or size.
size_t find_string_special(const char* text, size_t size);
bool is_valid_utf8(const char* text, size_t size);

}  // namespace gproxy::simd
