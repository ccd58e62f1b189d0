// Turns method and path into what is asked and by whom. Pure: text in, views out; decoded pieces
// live in the exchange's arena.
#pragma once

#include <string_view>

#include "base/arena.h"
#include "gateway/route_table.h"
#include "translate/protocol.h"

namespace gproxy::gateway {

struct RouteMatch {
  RouteKind kind = RouteKind::not_found;
  // The client's; also the shape of its errors. `by_key` asks for settle_protocol().
  translate::Protocol protocol = translate::Protocol::none;
  translate::Operation operation = translate::Operation::none;  // none: by the body's `stream`
  bool by_key = false;     // GET /v1/models*: three protocols share the path
  bool aggregate = false;  // no /{provider}: the model names it
  bool bad_verb = false;   // Gemini: a verb we do not know, or no model
  std::string_view provider;
  std::string_view path;  // without the provider
  std::string_view
      model;  // from the path, decoded, without models/; tuned models keep their prefix
  std::string_view resource;  // decoded {id}
  std::string_view allow;     // method_not_allowed: value of Allow
};

// `path` starts with '/' and has no query.
RouteMatch route(std::string_view method, std::string_view path, Arena& arena);

// Decides a by_key route (reference: anthropic-version, then where the key was found).
enum class KeySource : uint8_t { none, bearer, x_api_key, x_goog_api_key, query };
void settle_protocol(RouteMatch& match, bool has_anthropic_version, KeySource source);

// Provider names: 1 to 64 of [A-Za-z0-9._-].
bool is_provider_name(std::string_view text);

// An aggregate model: "provider/model", also with leading slashes or models/. Empty views when it
// is not one.
struct ProviderModel {
  std::string_view provider;
  std::string_view model;
  bool ok() const { return !provider.empty(); }
};
// `arena` is used for tuned models only ("tunedModels/provider/id" is "tunedModels/id" of
// provider).
ProviderModel split_provider_model(std::string_view text, Arena& arena);

}  // namespace gproxy::gateway
