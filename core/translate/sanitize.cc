#include "translate/sanitize.h"

#include <algorithm>

#include "base/base64.h"
#include "base/digest.h"

namespace gproxy::translate {

void RequestContext::index_tools() {
  constexpr size_t kFew = 16;
  tool_order.clear();
  if (tools.size() <= kFew) return;
  tool_order.resize(tools.size());
  for (uint32_t i = 0; i < tool_order.size(); ++i) tool_order[i] = i;
  std::stable_sort(tool_order.begin(), tool_order.end(),
                   [&](uint32_t a, uint32_t b) { return tools[a].sent < tools[b].sent; });
}

const ToolName* RequestContext::find_indexed(std::string_view sent) const {
  const auto found =
      std::lower_bound(tool_order.begin(), tool_order.end(), sent,
                       [&](uint32_t at, std::string_view name) { return tools[at].sent < name; });
  return found != tool_order.end() && tools[*found].sent == sent ? &tools[*found] : nullptr;
}

namespace {

constexpr size_t kMaxName = 64;
constexpr size_t kKeptOfLongName = 55;

bool is_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool legal_name_char(char c, bool first, Protocol target) {
  if (target == Protocol::gemini) {
    if (first) return is_alpha(c) || c == '_';
    return is_alnum(c) || c == '_' || c == '.' || c == ':' || c == '-';
  }
  return is_alnum(c) || c == '_' || c == '-';
}

std::string short_hash(std::string_view text) {
  auto digest = sha256(text);
  return hex_encode(digest_view(digest).substr(0, 4));
}

size_t count_code_points(std::string_view text) {
  size_t n = 0;
  for (char c : text) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return n;
}

size_t max_id(Protocol target) {
  switch (target) {
    case Protocol::openai_chat:
      return 40;
    case Protocol::gemini:
      return SIZE_MAX;
    default:
      return 64;
  }
}

}  // namespace

bool legal_id(std::string_view id, Protocol target) {
  if (id.empty()) return false;
  if (target == Protocol::gemini) return true;
  if (target == Protocol::claude) {
    if (id.size() > 64) return false;
    for (char c : id) {
      if (!is_alnum(c) && c != '_' && c != '-') return false;
    }
    return true;
  }
  return count_code_points(id) <= max_id(target);
}

bool legal_name(std::string_view name, Protocol target) {
  if (name.empty() || name.size() > kMaxName) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    if (!legal_name_char(name[i], i == 0, target)) return false;
  }
  return true;
}

std::string san_id(std::string_view id, Protocol target) {
  if (legal_id(id, target)) return std::string(id);
  auto digest = sha256(id);
  return "call_" + hex_encode(digest_view(digest).substr(0, 12));
}

std::string san_name(std::string_view name, Protocol target) {
  if (legal_name(name, target)) return std::string(name);
  std::string out;
  for (char c : name) {
    if ((static_cast<unsigned char>(c) & 0xC0) == 0x80) continue;  // one `_` per code point
    out += legal_name_char(c, out.empty(), target) ? c : '_';
  }
  if (out.empty()) out = "_";
  if (out.size() > kMaxName) {
    out.resize(kKeptOfLongName);
    out += '_';
    out += short_hash(name);
  }
  return out;
}

namespace {

std::string name_key(std::string_view name_space, std::string_view name) {
  std::string key(name_space);
  key += '\0';
  key += name;
  return key;
}

std::string flat_name(std::string_view name_space, std::string_view name) {
  if (name_space.empty()) return std::string(name);
  std::string flat(name_space);
  flat += "__";
  flat += name;
  return flat;
}

}  // namespace

void NameTable::reserve_legal(std::string_view name_space, std::string_view name) {
  auto flat = flat_name(name_space, name);
  if (!legal_name(flat, target_)) return;
  auto [it, fresh] = sent_.try_emplace(name_key(name_space, name), flat);
  if (!fresh) return;
  if (!used_.insert(flat).second) sent_.erase(it);  // "a__b" and namespace a, tool b
}

std::string_view NameTable::sent(std::string_view name_space, std::string_view name) {
  auto key = name_key(name_space, name);
  if (auto it = sent_.find(key); it != sent_.end()) return it->second;
  auto flat = flat_name(name_space, name);
  auto candidate = san_name(flat, target_);
  if (used_.contains(candidate)) {
    auto base = candidate.substr(0, kKeptOfLongName);
    std::string salt = key;
    do {
      candidate = base + "_" + short_hash(salt);
      salt += '+';
    } while (used_.contains(candidate));
  }
  used_.insert(candidate);
  return sent_.emplace(std::move(key), std::move(candidate)).first->second;
}

void sanitize_names(Request& request, Protocol target, CustomTools custom, RequestContext& context,
                    Arena& arena, LossLog& losses) {
  NameTable table(target);
  auto is_client_tool = [](const Tool& tool) {
    return tool.kind == Tool::Kind::function || tool.kind == Tool::Kind::custom;
  };
  for (const auto& tool : request.tools) {
    if (is_client_tool(tool)) table.reserve_legal(tool.name_space, tool.name);
  }
  for (const auto& message : request.messages) {
    for (const auto& part : message.parts) {
      if (part.kind == PartKind::call) {
        table.reserve_legal(part.call->name_space, part.call->name);
      }
    }
  }
  // The copy in the arena is shared by all uses of one name.
  std::unordered_map<std::string_view, std::string_view> copies;
  auto rename = [&](std::string_view name_space, std::string_view name) {
    auto sent = table.sent(name_space, name);
    if (sent == name) return name;
    auto [it, fresh] = copies.try_emplace(sent);
    if (fresh) it->second = arena.copy(sent);
    return it->second;
  };

  for (auto& tool : request.tools) {
    if (!is_client_tool(tool)) continue;
    auto sent = rename(tool.name_space, tool.name);
    bool is_custom = tool.kind == Tool::Kind::custom;
    bool wrapped = is_custom && custom == CustomTools::as_function;
    if (sent != tool.name || is_custom || !tool.name_space.empty() || tool.client_search) {
      ToolName entry;
      entry.sent = std::string(sent);
      entry.original = std::string(tool.name);
      entry.name_space = std::string(tool.name_space);
      entry.kind = is_custom ? Call::Kind::custom : Call::Kind::function;
      entry.wrapped = wrapped;
      entry.tool_search = tool.client_search;
      context.tools.push_back(std::move(entry));
    }
    if (sent != tool.name && tool.name_space.empty()) {
      losses.changed(tool.at, "tool name is not legal for the upstream; restored in the answer",
                     "name");
    }
    tool.name = sent;
    tool.name_space = {};
  }
  for (auto& message : request.messages) {
    for (auto& part : message.parts) {
      if (part.kind != PartKind::call) continue;
      part.call->name = rename(part.call->name_space, part.call->name);
      part.call->name_space = {};
    }
  }
  context.index_tools();
  // A choice names a tool without its namespace: the tool of that name wins, whatever its space.
  std::unordered_map<std::string_view, std::string_view> renamed;
  for (const auto& entry : context.tools) renamed.try_emplace(entry.original, entry.sent);
  auto rename_choice = [&](std::string_view name) -> std::string_view {
    if (auto found = renamed.find(name); found != renamed.end()) return arena.copy(found->second);
    return rename({}, name);
  };
  if (!request.choice.builtin && !request.choice.name.empty()) {
    request.choice.name = rename_choice(request.choice.name);
  }
  for (auto& name : request.choice.names) name = rename_choice(name);
}

void sanitize_ids(Request& request, Protocol target, Arena& arena) {
  std::unordered_map<std::string_view, std::string_view> legal;  // original -> sanitised
  std::unordered_map<std::string_view, int> uses;
  std::unordered_set<std::string_view> taken;
  auto sanitised = [&](std::string_view id) {
    auto [it, fresh] = legal.try_emplace(id, id);
    if (fresh && !legal_id(id, target)) it->second = arena.copy(san_id(id, target));
    return it->second;
  };
  // Per turn: the calls of the assistant messages, and the results up to the next ones, in order.
  struct Queue {
    std::vector<std::string_view> sent;  // new ids of the calls with this id
    size_t answered = 0;
  };
  std::unordered_map<std::string_view, Queue> turn;
  bool in_results = false;
  for (auto& message : request.messages) {
    if (message.role == Role::assistant) {
      if (in_results) turn.clear();
      in_results = false;
      for (auto& part : message.parts) {
        if (part.kind != PartKind::call) continue;
        auto original = part.call->id;
        auto sent = sanitised(original);
        if (!taken.insert(sent).second) {
          auto base = sent;
          int& n = uses[base];
          if (n == 0) n = 1;
          do {
            std::string suffix = "_" + std::to_string(++n);
            bool fits = target == Protocol::gemini || base.size() + suffix.size() <= max_id(target);
            // Hashed first where the suffix does not fit any more.
            sent = fits ? arena.concat({base, suffix})
                        : arena.concat({"call_", short_hash(base), suffix});
          } while (!taken.insert(sent).second && !arena.exhausted());
        }
        part.call->id = sent;
        turn[original].sent.push_back(sent);
      }
      continue;
    }
    in_results = true;
    for (auto& part : message.parts) {
      if (part.kind != PartKind::result) continue;
      auto found = turn.find(part.result->id);
      if (found == turn.end()) continue;  // an orphan
      auto& queue = found->second;
      // Results beyond the calls belong to the last one.
      part.result->id = queue.sent[std::min(queue.answered, queue.sent.size() - 1)];
      ++queue.answered;
    }
  }
}

}  // namespace gproxy::translate
