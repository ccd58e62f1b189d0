#include "upstream/header_block.h"

#include <cstring>

#include "base/strings.h"

namespace gproxy::upstream {
namespace {

constexpr size_t kUsualBytes = 4096;
constexpr size_t kStep = 512;

// libcurl sends these by itself unless a custom header of that name exists; "Name:" takes it away.
// What is relayed must arrive as it is, so no encoding is asked for where the caller asks for none.
constexpr std::string_view kImpliedNames[] = {"Accept", "Accept-Encoding", "Content-Type"};
constexpr std::string_view kImplied[] = {"Accept:", "Accept-Encoding: identity", "Content-Type:"};
constexpr std::string_view kNoExpect = "Expect:";
constexpr size_t kExpectsAbove = 1024 * 1024;

}  // namespace

curl_slist* HeaderBlock::build(std::span<const http::HeaderView> headers, size_t body_bytes) {
  constexpr size_t kImpliedCount = std::size(kImplied);
  const size_t nodes = headers.size() + kImpliedCount + 1;
  size_t bytes = nodes * sizeof(curl_slist);
  for (const auto& header : headers) bytes += header.name.len + header.value.len + 3;
  for (const auto line : kImplied) bytes += line.size() + 1;
  bytes += kNoExpect.size() + 1;
  if (bytes > capacity_) {
    capacity_ = (bytes + kStep - 1) / kStep * kStep;
    memory_ = std::make_unique_for_overwrite<char[]>(capacity_);
  }
  auto* node = reinterpret_cast<curl_slist*>(memory_.get());
  curl_slist* const first = node;
  char* text = memory_.get() + nodes * sizeof(curl_slist);
  bool given[kImpliedCount] = {};

  const auto append = [&text](std::string_view part) {
    std::memcpy(text, part.data(), part.size());
    text += part.size();
  };
  const auto finish = [&node, &text](char* begin) {
    *text++ = '\0';
    node->data = begin;
    node->next = node + 1;
    ++node;
  };

  for (const auto& header : headers) {
    const std::string_view name = header.name;
    const std::string_view value = header.value;
    if (!http::is_token(name) || (!value.empty() && !http::is_field_value(value))) return nullptr;
    for (size_t i = 0; i < kImpliedCount; ++i)
      given[i] = given[i] || iequals(name, kImpliedNames[i]);
    char* begin = text;
    append(name);
    if (value.empty()) {
      append(";");  // libcurl's way to write a header without a value
    } else {
      append(": ");
      append(value);
    }
    finish(begin);
  }
  for (size_t i = 0; i < kImpliedCount; ++i) {
    if (given[i]) continue;
    char* begin = text;
    append(kImplied[i]);
    finish(begin);
  }
  if (body_bytes > kExpectsAbove) {
    char* begin = text;
    append(kNoExpect);
    finish(begin);
  }
  if (node == first) return nullptr;
  (node - 1)->next = nullptr;
  return first;
}

void HeaderBlock::shrink() {
  if (capacity_ <= kUsualBytes) return;
  memory_.reset();
  capacity_ = 0;
}

}  // namespace gproxy::upstream
