// SPDX-License-Identifier: MIT
#include "testing/conformance.h"

#include <algorithm>
#include <set>

#include "testing/fake_json.h"

namespace gp::testing {
namespace {

std::string_view view_of(gp_str s) {
  return s.len == 0 ? std::string_view("") : std::string_view(s.ptr, s.len);
}

bool is_token(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
  });
}

bool is_word(std::string_view text, std::string_view extra, size_t most) {
  return !text.empty() && text.size() <= most && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           extra.find(c) != std::string_view::npos;
  });
}

bool valid_pair(int32_t protocol, int32_t operation) {
  switch (protocol) {
    case GP_PROTOCOL_NONE:
      return operation >= GP_OP_OAUTH_START && operation <= GP_OP_USAGE;
    case GP_PROTOCOL_CLAUDE:
    case GP_PROTOCOL_GEMINI:
      return operation >= GP_OP_GENERATE && operation <= GP_OP_MODEL_GET;
    case GP_PROTOCOL_OPENAI_CHAT:
    case GP_PROTOCOL_OPENAI_RESPONSE:
      return operation == GP_OP_GENERATE || operation == GP_OP_STREAM_GENERATE;
    case GP_PROTOCOL_OPENAI:
      return operation >= GP_OP_COUNT_TOKENS && operation <= GP_OP_MEMORY_TRACE_SUMMARIZE;
    default:
      return false;
  }
}

bool generates(int32_t operation) {
  return operation == GP_OP_GENERATE || operation == GP_OP_STREAM_GENERATE;
}

std::string row_name(const gp_route& row) {
  return "route (" + std::to_string(row.protocol) + ", " + std::to_string(row.operation) + ")";
}

void check_kind(const gp_kind* kind, std::set<std::string>& names, const Breach& breach) {
  if (kind == nullptr || kind->size < sizeof(gp_kind))
    return breach("a kind is null or not stamped");
  const std::string name(view_of(kind->name));
  if (!is_word(name, "-", 32)) breach("kind name \"" + name + "\" is not [a-z0-9-]{1,32}");
  if (!names.insert(name).second) breach("kind \"" + name + "\" occurs twice");
  for (gp_str schema : {kind->settings_schema, kind->credential_schema}) {
    if (schema.len > 0 && !json_valid(view_of(schema)))
      breach(name + ": a schema is not valid JSON");
  }
  if (kind->credential_tag.len > 0 && kind->credential_schema.len == 0) {
    breach(name + ": a credential tag without a schema");
  }
  if ((kind->flags & (GP_KIND_SEED | GP_KIND_USER_CREATED)) == 0)
    breach(name + ": neither SEED nor USER_CREATED");
  for (size_t i = 0; i < kind->forward_header_count; ++i) {
    std::string_view header = view_of(kind->forward_headers[i]);
    if (header.ends_with('*')) header.remove_suffix(1);
    if (!is_word(header, "-_", 64)) breach(name + ": forward header is not a lower-case name");
  }
}

}  // namespace

void check_entry(const gp_entry* entry, const Breach& breach) {
  if (entry == nullptr) return breach("the entry is null");
  if (entry->size < sizeof(gp_entry)) return breach("gp_entry.size is too small");
  if (entry->abi_major != GP_ABI_MAJOR) return breach("another ABI major");
  if (entry->init == nullptr || entry->deinit == nullptr) breach("init or deinit is null");
  const gp_provider_vt* vt = entry->provider;
  if (vt == nullptr || vt->size < sizeof(gp_provider_vt))
    return breach("gp_provider_vt is null or too small");
  if (vt->create == nullptr || vt->destroy == nullptr || vt->prepare == nullptr ||
      vt->release == nullptr) {
    breach("a required hook is null");
  }
}

void check_info(const gp_info* info, const Breach& breach) {
  if (info == nullptr || info->size < sizeof(gp_info))
    return breach("gp_info is null or not stamped");
  if (!is_word(view_of(info->id), ".-", 64)) breach("info.id is not [a-z0-9.-]{1,64}");
  for (gp_str text : {info->name, info->version, info->licence}) {
    if (text.len == 0 || text.len > 128)
      breach("info: name, version or licence is empty or too long");
  }
  if (info->kinds == nullptr || info->kind_count == 0 || info->kind_count > 32) {
    return breach("info: 1 to 32 kinds are expected");
  }
  std::set<std::string> names;
  for (size_t i = 0; i < info->kind_count; ++i) check_kind(info->kinds[i], names, breach);
}

void check_routes(std::span<const gp_route> routes, RouteAbilities can, const Breach& breach) {
  if (routes.empty() || routes.size() > 128) return breach("1 to 128 routes are expected");
  for (size_t i = 0; i < routes.size(); ++i) {
    const gp_route& row = routes[i];
    if (!valid_pair(row.protocol, row.operation))
      breach(row_name(row) + " is not a pair the ABI knows");
    for (size_t j = 0; j < i; ++j) {
      if (routes[j].protocol == row.protocol && routes[j].operation == row.operation) {
        breach(row_name(row) + " occurs twice");
      }
    }
    const bool answered = can.has_local || (can.has_count && row.operation == GP_OP_COUNT_TOKENS);
    if (row.mode == GP_ROUTE_LOCAL && !answered)
      breach(row_name(row) + " is LOCAL without gproxy.local/1 or gproxy.count/1");
    if (row.mode != GP_ROUTE_TRANSLATE) continue;
    const bool leads = std::any_of(routes.begin(), routes.end(), [&](const gp_route& other) {
      // Generation may lead to the other stream mode: the host bridges.
      const bool same = other.operation == row.operation ||
                        (generates(other.operation) && generates(row.operation));
      return other.protocol == row.target && same &&
             (other.mode == GP_ROUTE_NATIVE || other.mode == GP_ROUTE_LOCAL);
    });
    if (!leads || row.target == row.protocol) breach(row_name(row) + " translates to nowhere");
  }
}

void check_headers(std::span<const gp_header> headers, std::string_view where,
                   const Breach& breach) {
  static constexpr std::string_view kHosts[] = {"host", "content-length", "transfer-encoding",
                                                "connection"};
  if (headers.size() > GP_MAX_HEADERS) breach(std::string(where) + ": too many headers");
  for (const gp_header& header : headers) {
    const std::string name(view_of(header.name));
    const std::string_view value = view_of(header.value);
    if (!is_token(name))
      breach(std::string(where) + ": header name \"" + name + "\" is not a token");
    if (value.size() > GP_MAX_HEADER_VALUE)
      breach(std::string(where) + ": " + name + " is too long");
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
      breach(std::string(where) + ": " + name + " holds CR, LF or NUL");
    }
    if (std::find(std::begin(kHosts), std::end(kHosts), name) != std::end(kHosts)) {
      breach(std::string(where) + ": " + name + " is the host's to write");
    }
  }
}

void check_upstream(const gp_upstream& upstream, std::string_view request_body,
                    const Breach& breach) {
  if (upstream.size < sizeof(gp_upstream)) breach("gp_upstream.size was changed");
  const std::string_view url = view_of(upstream.url);
  if (!url.starts_with("http://") && !url.starts_with("https://"))
    breach("the URL is not absolute");
  if (url.size() + upstream.secret_query.len > GP_MAX_URL) breach("the URL is too long");
  for (char c : url) {
    if (c <= ' ' || c == '#' || static_cast<unsigned char>(c) >= 0x7f) {
      breach("the URL holds an unencoded character");
      break;
    }
  }
  check_headers({upstream.headers, upstream.header_count}, "request", breach);
  if (upstream.body.ptr != nullptr && upstream.splice_count > 0)
    breach("body and splices are both set");
  if (upstream.splice_count > GP_MAX_SPLICES) breach("too many splices");
  size_t end = 0;
  for (size_t i = 0; i < upstream.splice_count; ++i) {
    const gp_splice& splice = upstream.splices[i];
    if (splice.at > request_body.size() || splice.remove > request_body.size() - splice.at) {
      breach("a splice is out of range");
      return;
    }
    if (i > 0 && splice.at < end) breach("splices overlap or are out of order");
    end = splice.at + splice.remove;
  }
}

std::string apply_splices(std::string_view body, std::span<const gp_splice> splices) {
  std::string out;
  size_t from = 0;
  for (const gp_splice& splice : splices) {
    if (splice.at < from || splice.at > body.size() || splice.remove > body.size() - splice.at)
      break;
    out += body.substr(from, splice.at - from);
    out += view_of(splice.insert);
    from = splice.at + splice.remove;
  }
  return out + std::string(body.substr(from));
}

std::vector<gp_span> index_body(std::string_view body) {
  static constexpr std::pair<int32_t, std::string_view> kFields[] = {
      {GP_FIELD_ROOT, ""},
      {GP_FIELD_MODEL, "/model"},
      {GP_FIELD_STREAM, "/stream"},
      {GP_FIELD_STREAM_OPTIONS, "/stream_options"},
      {GP_FIELD_INCLUDE_USAGE, "/stream_options/include_usage"},
      {GP_FIELD_MESSAGES, "/messages"},
      {GP_FIELD_SYSTEM, "/system"},
      {GP_FIELD_INPUT, "/input"},
      {GP_FIELD_INSTRUCTIONS, "/instructions"},
      {GP_FIELD_CONTENTS, "/contents"},
      {GP_FIELD_TOOLS, "/tools"},
      {GP_FIELD_MAX_TOKENS, "/max_tokens"},
      {GP_FIELD_MAX_COMPLETION_TOKENS, "/max_completion_tokens"},
      {GP_FIELD_MAX_OUTPUT_TOKENS, "/max_output_tokens"},
      {GP_FIELD_TEMPERATURE, "/temperature"},
      {GP_FIELD_TOP_P, "/top_p"},
      {GP_FIELD_TOP_K, "/top_k"},
      {GP_FIELD_STORE, "/store"},
      {GP_FIELD_INCLUDE, "/include"},
      {GP_FIELD_METADATA, "/metadata"},
      {GP_FIELD_PROMPT_CACHE_KEY, "/prompt_cache_key"},
      {GP_FIELD_PREVIOUS_RESPONSE_ID, "/previous_response_id"},
      {GP_FIELD_SERVICE_TIER, "/service_tier"},
  };
  std::vector<gp_span> spans;
  if (json_node(body, "").type != GP_JSON_OBJECT) return spans;
  for (const auto& [field, pointer] : kFields) {
    const gp_json_node node = json_node(body, pointer);
    if ((node.flags & GP_NODE_FOUND) == 0) continue;
    const uint32_t escaped = (node.flags & GP_NODE_ESCAPED) != 0 ? GP_SPAN_ESCAPED : 0;
    spans.push_back({field, static_cast<uint32_t>(node.type) | escaped, node.at, node.len});
  }
  std::sort(spans.begin(), spans.end(),
            [](const gp_span& a, const gp_span& b) { return a.at < b.at; });
  return spans;
}

}  // namespace gp::testing
