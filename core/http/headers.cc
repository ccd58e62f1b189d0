#include "http/headers.h"

#include <array>
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace gproxy::http {
namespace {

enum : uint8_t { kToken = 1, kValue = 2 };

constexpr std::array<uint8_t, 256> classify() {
  std::array<uint8_t, 256> table{};
  for (unsigned c = 0; c < 256; ++c) {
    const bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    bool mark = false;
    for (char m : {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'}) {
      if (static_cast<unsigned char>(m) == c) mark = true;
    }
    if (alpha || mark) table[c] |= kToken;
    if (c == '\t' || (c >= ' ' && c != 0x7f)) table[c] |= kValue;
  }
  return table;
}
constexpr auto kClass = classify();

bool all(std::string_view text, uint8_t what) {
  uint8_t common = what;
  for (unsigned char c : text) common &= kClass[c];
  return common != 0;
}

}  // namespace

std::string_view find(std::span<const HeaderView> headers, std::string_view name) {
  for (const HeaderView& header : headers) {
    if (iequals(header.name, name)) {
      // A present but empty value must not look absent.
      return header.value.ptr != nullptr ? std::string_view(header.value) : std::string_view("", 0);
    }
  }
  return {};
}

namespace {

constexpr std::string_view kHopByHop[] = {"connection",
                                          "keep-alive",
                                          "proxy-authenticate",
                                          "proxy-authorization",
                                          "proxy-connection",
                                          "te",
                                          "trailer",
                                          "transfer-encoding",
                                          "upgrade"};

// Bit n: one of the names has n bytes. Most others differ in that already.
constexpr uint32_t hop_lengths() {
  uint32_t lengths = 0;
  for (auto name : kHopByHop) lengths |= uint32_t{1} << name.size();
  return lengths;
}

}  // namespace

bool is_hop_by_hop(std::string_view name) {
  if (name.size() > 31 || (hop_lengths() >> name.size() & 1) == 0) return false;
  for (auto hop : kHopByHop) {
    if (iequals(name, hop)) return true;
  }
  return false;
}

bool is_token(std::string_view name) {
  return !name.empty() && all(name, kToken);
}
bool is_field_value(std::string_view value) {
#if defined(__SSE2__)
  // No control character but the tab, sixteen bytes at a time.
  const __m128i last_control = _mm_set1_epi8(0x1f), tab = _mm_set1_epi8('\t'),
                del = _mm_set1_epi8(0x7f);
  while (value.size() >= 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(value.data()));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, last_control), v);
    const __m128i bad =
        _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(v, tab), control), _mm_cmpeq_epi8(v, del));
    if (_mm_movemask_epi8(bad) != 0) return false;
    value.remove_prefix(16);
  }
#endif
  return all(value, kValue);
}

}  // namespace gproxy::http
