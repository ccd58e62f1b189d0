#include "gateway/route_table.h"

namespace gproxy::gateway {
namespace {

using enum RouteScope;
using enum RouteKind;
using translate::Operation;
using translate::Protocol;
using M = Method;

// More special patterns stand before more general ones.
constexpr RouteRow kTable[] = {
    {M::get, root, "/healthz", healthz, {}, {}, "alive; no key"},
    {M::get, root, "/livez", healthz, {}, {}, "the same"},
    {M::get, root, "/readyz", readyz, {}, {}, "503 while starting, draining or refusing; no key"},
    {M::get,
     root,
     "/metrics",
     metrics,
     {},
     {},
     "Prometheus text; admin key or metrics token; open on loopback, unless a proxy passed it on"},
    {M::get, root, "/version", version, {}, {}, "no key"},
    {M::get, root, "/favicon.ico", favicon, {}, {}, "204"},
    {M::head, root, "/", probe, {}, {}, "200; agents look before they ask"},
    {M::get, root, "/", ui, {}, {}, "the administrator's interface"},
    {M::get, root, "/assets/{path*}", ui, {}, {}, "files of the interface"},
    {M::other, root, "/admin", admin, {}, {}, "the admin API; admin key"},
    {M::other, root, "/admin/{path*}", admin, {}, {}, "the admin API; admin key"},

    {M::post, both, "/v1/messages", llm, Protocol::claude, {}, "`stream` in the body"},
    {M::post, both, "/v1/messages/count_tokens", llm, Protocol::claude, Operation::count_tokens,
     ""},
    {M::post, both, "/v1/chat/completions", llm, Protocol::openai_chat, {}, "`stream` in the body"},
    {M::post, both, "/v1/responses", llm, Protocol::openai_response, {}, "`stream` in the body"},
    {M::post, both, "/v1/responses/compact", llm, Protocol::openai, Operation::response_compact,
     ""},
    {M::post, both, "/v1/responses/input_tokens", llm, Protocol::openai, Operation::count_tokens,
     ""},
    {M::post, both, "/v1/memories/trace_summarize", llm, Protocol::openai,
     Operation::memory_trace_summarize, ""},
    {M::get, both, "/v1/responses/{id}", llm, Protocol::openai, Operation::response_get,
     "the id tells the provider"},
    {M::del, both, "/v1/responses/{id}", llm, Protocol::openai, Operation::response_delete,
     "the same"},
    {M::post, both, "/v1/responses/{id}/cancel", llm, Protocol::openai, Operation::response_cancel,
     "the same"},
    {M::get, both, "/v1/responses/{id}/input_items", llm, Protocol::openai,
     Operation::response_input_items, "the same"},
    {M::get,
     both,
     "/v1/models",
     llm,
     {},
     Operation::model_list,
     "Claude with `anthropic-version`, Gemini with a Google key, else OpenAI"},
    {M::get, both, "/v1/models/{model*}", llm, {}, Operation::model_get, "as the list"},
    {M::post,
     both,
     "/v1/models/{model*}:{verb}",
     llm,
     Protocol::gemini,
     {},
     "`generateContent`, `streamGenerateContent`, `countTokens`"},
    {M::get, both, "/v1beta/models", llm, Protocol::gemini, Operation::model_list, ""},
    {M::get, both, "/v1beta/models/{model*}", llm, Protocol::gemini, Operation::model_get, ""},
    {M::post,
     both,
     "/v1beta/models/{model*}:{verb}",
     llm,
     Protocol::gemini,
     {},
     "verbs as above; the model may hold `/` and `:`"},
    {M::get, both, "/v1beta/tunedModels/{model*}", llm, Protocol::gemini, Operation::model_get, ""},
    {M::post, both, "/v1/tunedModels/{model*}:{verb}", llm, Protocol::gemini, {}, "tuned models"},
    {M::post,
     both,
     "/v1beta/tunedModels/{model*}:{verb}",
     llm,
     Protocol::gemini,
     {},
     "tuned models"},
    {M::post,
     both,
     "/v1beta/{model*}:{verb}",
     llm,
     Protocol::gemini,
     {},
     "clients that leave `models/` out"},

    {M::get, provider, "/oauth", oauth_start, {}, Operation::oauth_start, "a key that may log in"},
    {M::get,
     provider,
     "/oauth/callback",
     oauth_callback,
     {},
     Operation::oauth_callback,
     "the same, or none: its state counts"},
    {M::get,
     provider,
     "/usage",
     usage,
     {},
     Operation::usage,
     "`credential_id`, `normalized=1`; a key that may read quotas"},
    {M::head, provider, "", probe, {}, {}, "200; base paths are probed too"},
};

}  // namespace

Method parse_method(std::string_view text) {
  if (text == "POST") return Method::post;
  if (text == "GET") return Method::get;
  if (text == "HEAD") return Method::head;
  if (text == "PUT") return Method::put;
  if (text == "PATCH") return Method::patch;
  if (text == "DELETE") return Method::del;
  if (text == "OPTIONS") return Method::options;
  return Method::other;
}

std::string_view name(Method method) {
  switch (method) {
    case Method::get:
      return "GET";
    case Method::head:
      return "HEAD";
    case Method::post:
      return "POST";
    case Method::put:
      return "PUT";
    case Method::patch:
      return "PATCH";
    case Method::del:
      return "DELETE";
    case Method::options:
      return "OPTIONS";
    case Method::other:
      return "any";
  }
  return "any";
}

std::span<const RouteRow> route_table() {
  return kTable;
}

std::string routes_markdown() {
  std::string out =
      "# Routes\n\n"
      "Made from the route table (`core/gateway/route_table.cc`). Below `/{provider}` a request "
      "goes to "
      "that provider; the same path without it is an aggregate route: the model is written "
      "`provider/model`, and model names of answers come back so. `{model*}` may hold `/` (also as "
      "`%2F`). Paths below `/v1` and `/v1beta` that are not listed answer 404 in the client's "
      "protocol; a listed path with another method answers 405 with `Allow`.\n\n"
      "| method | path | aggregate | protocol | operation | note |\n|---|---|---|---|---|---|\n";
  for (const auto& row : kTable) {
    out += "| ";
    out += name(row.method);
    out += " | `";
    if (row.scope != root) out += "/{provider}";
    out += row.pattern;
    out += "` | ";
    out += row.scope == both ? "yes" : "";
    out += " | ";
    if (row.kind == llm) {
      out += row.protocol == Protocol::none ? "by request" : translate::name(row.protocol);
      out += " | ";
      out += row.operation == Operation::none ? "by request" : translate::name(row.operation);
    } else {
      out += "| ";
    }
    out += " | ";
    out += row.note;
    out += " |\n";
  }
  return out;
}

}  // namespace gproxy::gateway
