#include "base/simd.h"

#include <cstdint>
#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__)
#define GPROXY_X86 1
#include <immintrin.h>
#endif

namespace gproxy::simd {
namespace {

bool is_special(unsigned char c) {
  return c < 0x20 || c == '"' || c == '\\';
}

size_t find_special_portable(const char* text, size_t size) {
  constexpr uint64_t kOnes = 0x0101010101010101ull, kHigh = 0x8080808080808080ull;
  size_t at = 0;
  for (; size - at >= 8; at += 8) {
    uint64_t w;
    std::memcpy(&w, text + at, 8);
    const uint64_t quote = w ^ (kOnes * '"'), slash = w ^ (kOnes * '\\');
    const uint64_t hit =
        (((quote - kOnes) & ~quote) | ((slash - kOnes) & ~slash) | ((w - kOnes * 0x20) & ~w)) &
        kHigh;
    if (hit != 0) break;
  }
  while (at < size && !is_special(static_cast<unsigned char>(text[at]))) ++at;
  return at;
}

// RFC 3629: the second byte's range excludes overlong forms, surrogates and beyond U+10FFFF.
bool utf8_portable(const char* text, size_t size) {
  const auto* p = reinterpret_cast<const unsigned char*>(text);
  const auto* const end = p + size;
  while (p < end) {
    while (end - p >= 16) {
      uint64_t a, b;
      std::memcpy(&a, p, 8);
      std::memcpy(&b, p + 8, 8);
      if (((a | b) & 0x8080808080808080ull) != 0) break;
      p += 16;
    }
    if (p == end) break;
    const unsigned char c = *p;
    if (c < 0x80) {
      ++p;
      continue;
    }
    int more = 0;
    unsigned char low = 0x80, high = 0xbf;
    if (c >= 0xc2 && c <= 0xdf) {
      more = 1;
    } else if (c >= 0xe0 && c <= 0xef) {
      more = 2;
      if (c == 0xe0) low = 0xa0;
      if (c == 0xed) high = 0x9f;
    } else if (c >= 0xf0 && c <= 0xf4) {
      more = 3;
      if (c == 0xf0) low = 0x90;
      if (c == 0xf4) high = 0x8f;
    } else {
      return false;
    }
    if (end - p <= more || p[1] < low || p[1] > high) return false;
    for (int i = 2; i <= more; ++i) {
      if (p[i] < 0x80 || p[i] > 0xbf) return false;
    }
    p += more + 1;
  }
  return true;
}

#ifdef GPROXY_X86

size_t find_special_sse2(const char* text, size_t size) {
  const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'),
                control = _mm_set1_epi8(0x1f);
  size_t at = 0;
  for (; size - at >= 16; at += 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text + at));
    const __m128i hit =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)),
                     _mm_cmpeq_epi8(_mm_min_epu8(v, control), v));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(hit));
    if (mask != 0) return at + static_cast<size_t>(__builtin_ctz(mask));
  }
  while (at < size && !is_special(static_cast<unsigned char>(text[at]))) ++at;
  return at;
}

__attribute__((target("avx2"))) __m256i special_avx2(__m256i v) {
  const __m256i quote = _mm256_set1_epi8('"'), slash = _mm256_set1_epi8('\\'),
                control = _mm256_set1_epi8(0x1f);
  return _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(v, quote), _mm256_cmpeq_epi8(v, slash)),
                         _mm256_cmpeq_epi8(_mm256_min_epu8(v, control), v));
}

__attribute__((target("avx2"))) size_t find_special_avx2(const char* text, size_t size) {
  size_t at = 0;
  for (; size - at >= 64; at += 64) {
    const __m256i a = special_avx2(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + at)));
    const __m256i b =
        special_avx2(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + at + 32)));
    const __m256i both = _mm256_or_si256(a, b);
    if (_mm256_testz_si256(both, both)) continue;
    const uint64_t mask = static_cast<uint32_t>(_mm256_movemask_epi8(a)) |
                          uint64_t{static_cast<uint32_t>(_mm256_movemask_epi8(b))} << 32;
    return at + static_cast<size_t>(__builtin_ctzll(mask));
  }
  return at + find_special_sse2(text + at, size - at);
}

// Validation by table look-up (J. Keiser, D. Lemire: "Validating UTF-8 in less than one instruction
// per byte"): three nibbles of each pair of bytes index sixteen-entry tables of the errors they
// allow; an error that all three allow is one.
namespace lookup {
constexpr uint8_t kTooShort = 1 << 0, kTooLong = 1 << 1, kOverlong3 = 1 << 2, kTooLarge = 1 << 3,
                  kSurrogate = 1 << 4, kOverlong2 = 1 << 5, kTooLarge1000 = 1 << 6,
                  kOverlong4 = 1 << 6, kTwoConts = 1 << 7;
constexpr uint8_t kCarry = kTooShort | kTooLong | kTwoConts;
alignas(16) constexpr uint8_t kFirstHigh[16] = {kTooLong,
                                                kTooLong,
                                                kTooLong,
                                                kTooLong,
                                                kTooLong,
                                                kTooLong,
                                                kTooLong,
                                                kTooLong,
                                                kTwoConts,
                                                kTwoConts,
                                                kTwoConts,
                                                kTwoConts,
                                                kTooShort | kOverlong2,
                                                kTooShort,
                                                kTooShort | kOverlong3 | kSurrogate,
                                                kTooShort | kTooLarge | kTooLarge1000 | kOverlong4};
constexpr uint8_t kLarge = kCarry | kTooLarge | kTooLarge1000;
alignas(16) constexpr uint8_t kFirstLow[16] = {kCarry | kOverlong3 | kOverlong2 | kOverlong4,
                                               kCarry | kOverlong2,
                                               kCarry,
                                               kCarry,
                                               kCarry | kTooLarge,
                                               kLarge,
                                               kLarge,
                                               kLarge,
                                               kLarge,
                                               kLarge,
                                               kLarge,
                                               kLarge,
                                               kLarge,
                                               kLarge | kSurrogate,
                                               kLarge,
                                               kLarge};
alignas(16) constexpr uint8_t kSecondHigh[16] = {
    kTooShort,
    kTooShort,
    kTooShort,
    kTooShort,
    kTooShort,
    kTooShort,
    kTooShort,
    kTooShort,
    kTooLong | kOverlong2 | kTwoConts | kOverlong3 | kTooLarge1000 | kOverlong4,
    kTooLong | kOverlong2 | kTwoConts | kOverlong3 | kTooLarge,
    kTooLong | kOverlong2 | kTwoConts | kSurrogate | kTooLarge,
    kTooLong | kOverlong2 | kTwoConts | kSurrogate | kTooLarge,
    kTooShort,
    kTooShort,
    kTooShort,
    kTooShort};
// A block that ends with bytes above these needs more than it has.
alignas(32) constexpr uint8_t kComplete[32] = {
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,      255,      255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0xf0 - 1, 0xe0 - 1, 0xc0 - 1};
}  // namespace lookup

__attribute__((target("avx2"))) __m256i table(const uint8_t* sixteen) {
  return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(sixteen)));
}

// The input with the last N bytes of the previous block moved in.
template <int N>
__attribute__((target("avx2"))) __m256i shifted(__m256i input, __m256i previous) {
  return _mm256_alignr_epi8(input, _mm256_permute2x128_si256(previous, input, 0x21), 16 - N);
}

__attribute__((target("avx2"))) __m256i utf8_errors(__m256i input, __m256i previous) {
  const __m256i low = _mm256_set1_epi8(0x0f);
  const __m256i one = shifted<1>(input, previous);
  const __m256i first_high = _mm256_shuffle_epi8(table(lookup::kFirstHigh),
                                                 _mm256_and_si256(_mm256_srli_epi16(one, 4), low));
  const __m256i first_low =
      _mm256_shuffle_epi8(table(lookup::kFirstLow), _mm256_and_si256(one, low));
  const __m256i second_high = _mm256_shuffle_epi8(
      table(lookup::kSecondHigh), _mm256_and_si256(_mm256_srli_epi16(input, 4), low));
  const __m256i special = _mm256_and_si256(_mm256_and_si256(first_high, first_low), second_high);
  // Where a third or fourth byte must stand, "two continuations" is right and its absence is wrong.
  const __m256i third = _mm256_subs_epu8(shifted<2>(input, previous),
                                         _mm256_set1_epi8(static_cast<char>(0xe0 - 0x80)));
  const __m256i fourth = _mm256_subs_epu8(shifted<3>(input, previous),
                                          _mm256_set1_epi8(static_cast<char>(0xf0 - 0x80)));
  const __m256i must =
      _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8(static_cast<char>(0x80)));
  return _mm256_xor_si256(must, special);
}

__attribute__((target("avx2"))) bool utf8_avx2(const char* text, size_t size) {
  const __m256i complete = _mm256_load_si256(reinterpret_cast<const __m256i*>(lookup::kComplete));
  __m256i previous = _mm256_setzero_si256(), incomplete = _mm256_setzero_si256(),
          error = _mm256_setzero_si256();
  size_t at = 0;
  for (; size - at >= 32; at += 32) {
    const __m256i input = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + at));
    if (_mm256_movemask_epi8(input) == 0) {
      error = _mm256_or_si256(error, incomplete);
      incomplete = _mm256_setzero_si256();
    } else {
      error = _mm256_or_si256(error, utf8_errors(input, previous));
      incomplete = _mm256_subs_epu8(input, complete);
    }
    previous = input;
  }
  if (at < size) {
    // Zeros behind the end make a cut sequence an error.
    alignas(32) char rest[32] = {};
    std::memcpy(rest, text + at, size - at);
    const __m256i input = _mm256_load_si256(reinterpret_cast<const __m256i*>(rest));
    error = _mm256_or_si256(error, utf8_errors(input, previous));
    incomplete = _mm256_subs_epu8(input, complete);
  }
  error = _mm256_or_si256(error, incomplete);
  return _mm256_testz_si256(error, error) != 0;
}

#endif

struct Loops {
  Level level;
  size_t (*find_special)(const char*, size_t);
  bool (*utf8)(const char*, size_t);
};

Loops choose(Level highest) {
#ifdef GPROXY_X86
  if (highest >= Level::avx2 && __builtin_cpu_supports("avx2"))
    return {Level::avx2, find_special_avx2, utf8_avx2};
  if (highest >= Level::sse2) return {Level::sse2, find_special_sse2, utf8_portable};
#endif
  return {Level::portable, find_special_portable, utf8_portable};
}

Loops& loops() {
  static Loops chosen = choose(Level::avx2);
  return chosen;
}

}  // namespace

Level level() {
  return loops().level;
}
void limit_level(Level highest) {
  loops() = choose(highest);
}

size_t find_string_special(const char* text, size_t size) {
  return loops().find_special(text, size);
}
bool is_valid_utf8(const char* text, size_t size) {
  return loops().utf8(text, size);
}

}  // namespace gproxy::simd
