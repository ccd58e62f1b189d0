#include "base/strings.h"

#include <algorithm>
#include <charconv>

#include "base/simd.h"

namespace gproxy {
namespace {

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
constexpr bool white(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

template <class I>
std::optional<I> parse_number(std::string_view text) {
  I value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

bool iequals(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && white(text.front())) text.remove_prefix(1);
  while (!text.empty() && white(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<int64_t> parse_int(std::string_view text) {
  return parse_number<int64_t>(text);
}
std::optional<uint64_t> parse_uint(std::string_view text) {
  return parse_number<uint64_t>(text);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

bool is_valid_utf8(std::string_view text) {
  return simd::is_valid_utf8(text.data(), text.size());
}

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  constexpr size_t kMaxDistance = 3, kMaxWord = 64;
  if (word.empty() || word.size() > kMaxWord) return {};
  // Half the word changed is another word.
  size_t best_distance = std::min(kMaxDistance, (word.size() + 1) / 2) + 1;
  std::string_view best;
  for (auto candidate : candidates) {
    if (candidate.empty() || candidate.size() > kMaxWord) continue;
    size_t row[kMaxWord + 1];
    for (size_t j = 0; j <= candidate.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= word.size(); ++i) {
      size_t diagonal = row[0];
      row[0] = i;
      for (size_t j = 1; j <= candidate.size(); ++j) {
        const size_t above = row[j];
        const size_t change = diagonal + (lower(word[i - 1]) == lower(candidate[j - 1]) ? 0 : 1);
        row[j] = std::min({above + 1, row[j - 1] + 1, change});
        diagonal = above;
      }
    }
    if (row[candidate.size()] < best_distance) {
      best_distance = row[candidate.size()];
      best = candidate;
    }
  }
  return best;
}

}  // namespace gproxy
