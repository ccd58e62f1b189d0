// Call ids and tool names that are legal for a target, deterministically, and back again. Pure;
// one request each.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/arena.h"
#include "translate/codec.h"
#include "translate/model.h"

namespace gproxy::translate {

bool legal_id(std::string_view id, Protocol target);
bool legal_name(std::string_view name, Protocol target);
// One id or name alone, without regard to others of the request.
std::string san_id(std::string_view id, Protocol target);
std::string san_name(std::string_view name, Protocol target);

// The names of one request: legal originals keep their name, others get one that collides with
// none. Names are keyed by (namespace, name).
class NameTable {
 public:
  explicit NameTable(Protocol target) : target_(target) {}
  // First all names are announced, legal ones in a first pass; then sent() answers.
  void reserve_legal(std::string_view name_space, std::string_view name);
  std::string_view sent(std::string_view name_space, std::string_view name);

 private:
  Protocol target_;
  std::unordered_map<std::string, std::string> sent_;  // "ns\0name" -> sent
  std::unordered_set<std::string> used_;
};

// Renames every tool, call, result and choice of the request for `target`, and notes in the context
// what the answer must restore (other name, namespace, custom kind).
// `custom_as_function`: custom tools are sent as functions {"input": …}.
enum class CustomTools : uint8_t { keep, as_function };
void sanitize_names(Request& request, Protocol target, CustomTools custom, RequestContext& context,
                    Arena& arena, LossLog& losses);

// Makes call ids unique within the request (second use: `_2`, …) with their results in order, and
// legal for `target`.
void sanitize_ids(Request& request, Protocol target, Arena& arena);

}  // namespace gproxy::translate
