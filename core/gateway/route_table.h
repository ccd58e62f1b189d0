// Every route of the server as data. docs/routes.md is generated from it; the router matches by it.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "translate/protocol.h"

namespace gproxy::gateway {

enum class Method : uint8_t { get, head, post, put, patch, del, options, other };
Method parse_method(std::string_view text);
std::string_view name(Method method);

// Who answers.
enum class RouteKind : uint8_t {
  llm,    // an operation of a protocol, through a provider
  probe,  // 200 without a body, for clients that look before they ask
  healthz,
  readyz,
  metrics,
  version,
  favicon,
  admin,  // the admin API
  ui,     // the administrator's interface
  oauth_start,
  oauth_callback,
  usage,              // a vendor's own quota
  not_found,          // no such path
  unknown_operation,  // below /v1 or /v1beta, but nothing we have
  method_not_allowed,
};

enum class RouteScope : uint8_t {
  root,      // the path as it stands
  provider,  // below /{provider} only
  both,      // below /{provider}, and without it: the model names the provider
};

// Patterns stand behind the optional /{provider}: {id} is one segment, {model*} the rest of the
// path, {model*}:{verb} the rest split at its last colon, {path*} any rest.
struct RouteRow {
  Method method;
  RouteScope scope;
  std::string_view pattern;
  RouteKind kind;
  // none: decided by the request (GET /v1/models is spoken by three protocols).
  translate::Protocol protocol;
  // none: decided by the request (the body's `stream`, a Gemini verb).
  translate::Operation operation;
  std::string_view note;
};

std::span<const RouteRow> route_table();
// The table as a page of Markdown.
std::string routes_markdown();

}  // namespace gproxy::gateway
