#include "modhost/provider.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/secret.h"
#include "gproxy/abi.h"
#include "modhost/abi_text.h"
#include "modhost/call.h"
#include "modhost/call_request.h"
#include "modhost/credential_text.h"
#include "modhost/host_api.h"
#include "modhost/schema_check.h"

namespace gproxy::modhost {

using translate::Operation;
using translate::Protocol;

// Handing a header list or a text to a module is handing over a pointer.
static_assert(sizeof(http::Text) == sizeof(gp_str) &&
              offsetof(http::Text, ptr) == offsetof(gp_str, ptr) &&
              offsetof(http::Text, len) == offsetof(gp_str, len));
static_assert(sizeof(http::HeaderView) == sizeof(gp_header) &&
              offsetof(http::HeaderView, name) == offsetof(gp_header, name) &&
              offsetof(http::HeaderView, value) == offsetof(gp_header, value));

static_assert(static_cast<int>(Protocol::none) == GP_PROTOCOL_NONE &&
              static_cast<int>(Protocol::claude) == GP_PROTOCOL_CLAUDE &&
              static_cast<int>(Protocol::openai_chat) == GP_PROTOCOL_OPENAI_CHAT &&
              static_cast<int>(Protocol::openai_response) == GP_PROTOCOL_OPENAI_RESPONSE &&
              static_cast<int>(Protocol::gemini) == GP_PROTOCOL_GEMINI &&
              static_cast<int>(Protocol::openai) == GP_PROTOCOL_OPENAI);
static_assert(static_cast<int>(Operation::none) == GP_OP_NONE &&
              static_cast<int>(Operation::generate) == GP_OP_GENERATE &&
              static_cast<int>(Operation::stream_generate) == GP_OP_STREAM_GENERATE &&
              static_cast<int>(Operation::count_tokens) == GP_OP_COUNT_TOKENS &&
              static_cast<int>(Operation::model_list) == GP_OP_MODEL_LIST &&
              static_cast<int>(Operation::model_get) == GP_OP_MODEL_GET &&
              static_cast<int>(Operation::response_get) == GP_OP_RESPONSE_GET &&
              static_cast<int>(Operation::response_delete) == GP_OP_RESPONSE_DELETE &&
              static_cast<int>(Operation::response_cancel) == GP_OP_RESPONSE_CANCEL &&
              static_cast<int>(Operation::response_input_items) == GP_OP_RESPONSE_INPUT_ITEMS &&
              static_cast<int>(Operation::response_compact) == GP_OP_RESPONSE_COMPACT &&
              static_cast<int>(Operation::memory_trace_summarize) == GP_OP_MEMORY_TRACE_SUMMARIZE &&
              static_cast<int>(Operation::oauth_start) == GP_OP_OAUTH_START &&
              static_cast<int>(Operation::oauth_callback) == GP_OP_OAUTH_CALLBACK &&
              static_cast<int>(Operation::usage) == GP_OP_USAGE);

void Health::record(int64_t now_ms) {
  auto at = at_.fetch_add(1, std::memory_order_relaxed);
  times_[at % kBreaches].store(now_ms + 1, std::memory_order_relaxed);
  total_.fetch_add(1, std::memory_order_relaxed);
}

bool Health::healthy(int64_t now_ms) const {
  int64_t newest = 0, oldest = INT64_MAX;
  for (const auto& time : times_) {
    auto t = time.load(std::memory_order_relaxed);
    newest = std::max(newest, t);
    oldest = std::min(oldest, t);
  }
  if (oldest == 0) return true;  // fewer than three ever
  return newest - oldest > kWindowMs || now_ms + 1 - newest > kWindowMs;
}

namespace {

constexpr int64_t kSlowHookUs = 5'000;
constexpr size_t kMaxRoutes = 128;
constexpr size_t kMaxSecretBytes = 256 * 1024;

gp_error fresh_error() {
  gp_error error{};
  error.size = sizeof error;
  return error;
}

// Rows with numbers this host does not know are a newer module's; from one of our own age they are
// a mistake.
Result<std::vector<Route>> read_routes(const gp_route* routes, size_t count, bool newer) {
  if (count == 0 || count > kMaxRoutes || routes == nullptr) {
    return invalid_error(
        fmt::format("the route table has {} rows, must have 1 to {}", count, kMaxRoutes));
  }
  std::vector<Route> rows;
  for (size_t i = 0; i < count; ++i) {
    const auto& row = routes[i];
    bool known = row.protocol >= GP_PROTOCOL_NONE && row.protocol <= GP_PROTOCOL_OPENAI &&
                 row.operation > GP_OP_NONE && row.operation <= GP_OP_USAGE &&
                 (row.mode != GP_ROUTE_TRANSLATE ||
                  (row.target > GP_PROTOCOL_NONE && row.target <= GP_PROTOCOL_OPENAI));
    if (!known) {
      if (newer) continue;
      return invalid_error(
          fmt::format("route {} has an unknown number: protocol {}, operation {}, target {}", i,
                      row.protocol, row.operation, row.target));
    }
    Route out{static_cast<Protocol>(row.protocol), static_cast<Operation>(row.operation),
              RouteMode::unsupported, Protocol::none};
    if (row.mode == GP_ROUTE_NATIVE) out.mode = RouteMode::native;
    if (row.mode == GP_ROUTE_LOCAL) out.mode = RouteMode::local;
    if (row.mode == GP_ROUTE_TRANSLATE) {
      out.mode = RouteMode::translate;
      out.target = static_cast<Protocol>(row.target);
    }
    rows.push_back(out);
  }
  return rows;
}

// Settings as the module gets them: checked against the schema, absent members left out.
Result<std::string> check_settings(const KindSchemas& schemas, std::string_view settings_json) {
  Arena arena;
  json::Limits limits;
  limits.max_bytes = size_t{1} << 20;
  limits.max_depth = 64;
  auto settings = json::parse(settings_json.empty() ? "{}" : settings_json, arena, limits);
  if (!settings.ok()) {
    return Error{
        ErrorKind::invalid, "invalid_settings", "not valid JSON: " + settings.error().message, {}};
  }
  if (!settings->is_object())
    return Error{ErrorKind::invalid, "invalid_settings", "must be a JSON object", {}};
  GP_CHECK(
      check_schema(schemas.settings, *settings, {UnknownMembers::refuse, {}, "invalid_settings"}));
  return json::write(without_absent(schemas.settings, *settings, arena));
}

// The same for a secret, {"<tag>": {…}}; unknown members are kept.
Result<std::string> check_secret(const KindInfo& kind, const KindSchemas& schemas,
                                 std::string_view secret_json) {
  auto invalid = [](std::string message, std::string param = {}) {
    return Error{ErrorKind::invalid, "invalid_credential_json", std::move(message),
                 std::move(param)};
  };
  if (secret_json.size() > kMaxSecretBytes)
    return invalid(fmt::format("longer than {} bytes", kMaxSecretBytes));
  Arena arena;
  json::Limits limits;
  limits.max_depth = 64;
  auto secret = json::parse(secret_json, arena, limits);
  // The parser's own message could quote a piece of the secret; it says where, which is enough.
  if (!secret.ok()) return invalid("not valid JSON");
  *secret = tagged_credential(kind, schemas.credential, *secret, arena);
  if (!secret->is_object() || secret->size() != 1) {
    return invalid(fmt::format("must be an object with the one member `{}`", kind.credential_tag));
  }
  const auto& member = secret->members()[0];
  if (member.key != kind.credential_tag) {
    return Error{
        ErrorKind::invalid,
        "credential_kind_mismatch",
        fmt::format("kind {} takes a credential tagged `{}`", kind.name, kind.credential_tag),
        {}};
  }
  GP_CHECK(check_schema(schemas.credential, member.value,
                        {UnknownMembers::ignore, kind.credential_tag, "invalid_credential_json"}));
  auto out = json::Value::object();
  out.add(arena, member.key, without_absent(schemas.credential, member.value, arena));
  return json::write(out);
}

}  // namespace

Result<std::shared_ptr<const Provider>> Provider::create(std::shared_ptr<const Module> module,
                                                         ProviderSpec spec, const Clock& clock) {
  const auto* kind = module->info().find_kind(spec.kind);
  if (kind == nullptr) {
    return Error{ErrorKind::invalid, "unknown_kind",
                 fmt::format("module {} has no kind `{}`", module->id(), spec.kind), "kind"};
  }
  GP_TRY(auto settings, check_settings(module->schemas(*kind), spec.settings_json));

  auto reaper = module->reaper();
  // The last holder may be a loop; destroy is a main-thread function.
  std::shared_ptr<Provider> provider(new Provider(clock), [reaper](Provider* dead) {
    reaper->bury(std::shared_ptr<const void>(static_cast<const void*>(dead),
                                             [dead](const void*) { delete dead; }));
  });
  provider->module_ = std::move(module);
  provider->kind_ = kind;
  provider->spec_ = std::move(spec);

  Arena arena;
  auto error = fresh_error();
  gp_instance instance{};
  instance.size = sizeof instance;
  instance.arena = reinterpret_cast<gp_arena*>(&arena);
  auto status = provider->module_->vt().create(to_gp(kind->name), to_gp(provider->spec_.name),
                                               to_gp(settings), &instance, &error);
  if (status != GP_OK) {
    auto message = message_text(error.message, fmt::format("create failed ({})", status));
    if (status == GP_ERR_INVALID) {
      return Error{ErrorKind::invalid, "invalid_settings", message, message_text(error.param, "")};
    }
    return provider->breach("create", message);
  }
  provider->handle_ = instance.provider;
  provider->created_ = true;
  bool newer = provider->module_->info().abi_minor > GP_ABI_MINOR;
  auto rows = read_routes(instance.routes, instance.route_count, newer);
  if (!rows.ok()) return provider->breach("create", rows.error().message);
  const auto& extensions = provider->module_->extensions();
  auto table = RouteTable::make(std::move(*rows), {.local = extensions.local != nullptr,
                                                   .count = extensions.count != nullptr});
  if (!table.ok()) return provider->breach("create", table.error().message);
  provider->routes_ = std::move(*table);
  GP_CHECK(provider->check_abilities());
  return std::shared_ptr<const Provider>(std::move(provider));
}

// What the table promises of the module's extensions must be there.
Result<void> Provider::check_abilities() const {
  for (const auto& row : routes_.rows()) {
    if (row.mode != RouteMode::native || row.protocol != Protocol::none) continue;
    bool quota = row.operation == Operation::usage;
    if (quota ? module_->extensions().quota == nullptr : module_->extensions().oauth == nullptr) {
      return breach("create", fmt::format("the route {} is native, but the module has no {}",
                                          translate::name(row.operation),
                                          quota ? "gproxy.quota/1" : "gproxy.oauth/1"));
    }
  }
  return ok();
}

Provider::~Provider() {
  if (created_) module_->vt().destroy(handle_);
}

Error Provider::breach(std::string_view hook, std::string_view what) const {
  auto now = clock_.now_ms();
  bool was_healthy = health_.healthy(now);
  health_.record(now);
  log::warn("module failed",
            {{"module", module_->id()}, {"provider", name()}, {"hook", hook}, {"error", what}});
  if (was_healthy && !health_.healthy(now)) {
    log::warn("provider unhealthy: its module failed three times in a minute",
              {{"module", module_->id()}, {"provider", name()}, {"hook", hook}, {"last", what}});
  }
  return Error{ErrorKind::server,
               "module_error",
               fmt::format("module {} (provider {}): {}: {}", module_->id(), name(), hook, what),
               {},
               502};
}

void Provider::note_duration(std::string_view hook, int64_t started_us) const {
  auto took = clock_.now_us() - started_us;
  if (took > kSlowHookUs) {
    log::warn("slow module hook",
              {{"module", module_->id()}, {"provider", name()}, {"hook", hook}, {"us", took}});
  }
}

Result<void> Provider::check_credential(std::string_view secret_json) const {
  if (kind_->credential_tag.empty()) {
    return Error{ErrorKind::invalid,
                 "credential_kind_mismatch",
                 fmt::format("kind {} takes no credential", kind()),
                 {}};
  }
  GP_CHECK(check_secret(*kind_, module_->schemas(*kind_), secret_json));
  return ok();
}

Result<CredentialHandle> Provider::open_credential(std::string_view secret_json,
                                                   uint64_t version) const {
  if (kind_->credential_tag.empty()) {
    return Error{ErrorKind::invalid,
                 "credential_kind_mismatch",
                 fmt::format("kind {} takes no credential", kind()),
                 {}};
  }
  GP_TRY(auto secret, check_secret(*kind_, module_->schemas(*kind_), secret_json));
  Arena arena;
  auto error = fresh_error();
  gp_credential_info info{};
  info.size = sizeof info;
  info.arena = reinterpret_cast<gp_arena*>(&arena);
  auto status = module_->vt().credential_open(handle_, to_gp(secret), &info, &error);
  wipe_memory(secret.data(), secret.size());
  if (status != GP_OK) {
    auto message = message_text(error.message, fmt::format("credential_open failed ({})", status));
    if (status == GP_ERR_INVALID) {
      return Error{ErrorKind::invalid, "invalid_credential_json", message,
                   message_text(error.param, "")};
    }
    return breach("credential_open", message);
  }
  std::shared_ptr<OpenCredential> open(new OpenCredential);
  open->provider_ = shared_from_this();
  open->handle_ = info.credential;
  open->opened_ = true;
  auto identity = plain_text(info.identity, 256), display = plain_text(info.display_name, 256);
  if (!identity || !display)
    return breach("credential_open", "identity or display_name is not a text of at most 256 bytes");
  if (info.expires_at_ms < 0) return breach("credential_open", "expires_at_ms is negative");
  open->expires_at_ms_ = info.expires_at_ms;
  open->identity_ = std::move(*identity);
  open->display_name_ = std::move(*display);
  open->refreshable_ =
      (info.flags & GP_CREDENTIAL_REFRESHABLE) != 0 && module_->extensions().credential != nullptr;
  open->incomplete_ = (info.flags & GP_CREDENTIAL_INCOMPLETE) != 0;
  open->version_ = version;
  return CredentialHandle(std::move(open));
}

OpenCredential::~OpenCredential() {
  if (opened_) provider_->module().vt().credential_close(handle_);
}

void fill_request(const CallRequest& request, gp_request& out) {
  out.size = sizeof out;
  out.flags = (request.translated ? GP_REQUEST_TRANSLATED : 0u) |
              (request.needs_sse ? GP_REQUEST_NEEDS_SSE : 0u) |
              (request.model_differs ? GP_REQUEST_MODEL_DIFFERS : 0u);
  out.protocol = static_cast<int32_t>(request.protocol);
  out.operation = static_cast<int32_t>(request.operation);
  out.client_protocol = static_cast<int32_t>(request.client_protocol);
  out.attempt = request.attempt;
  out.method = to_gp(request.method);
  out.path = to_gp(request.path);
  out.query = to_gp(request.query);
  out.model = to_gp(request.model);
  out.resource = to_gp(request.resource);
  out.body = to_gp(request.body);
  out.headers = reinterpret_cast<const gp_header*>(request.headers.data());
  out.header_count = request.headers.size();
  out.spans = reinterpret_cast<const gp_span*>(request.spans.data());
  out.span_count = request.spans.size();
  out.credential = request.credential != nullptr ? request.credential->handle() : nullptr;
  out.arena = reinterpret_cast<gp_arena*>(request.arena);
  out.request_id = to_gp(request.request_id);
}

Error Provider::refusal(std::string_view hook, int32_t status, const gp_error& error,
                        const Arena& arena) const {
  auto message = message_text(error.message, "");
  auto param = message_text(error.param, "");
  auto or_else = [&](std::string_view text) {
    return message.empty() ? std::string(text) : message;
  };
  switch (status) {
    case GP_ERR_INVALID:
      return Error{ErrorKind::invalid, "invalid_request",
                   or_else("the provider refuses this request"), param};
    case GP_ERR_NOT_FOUND:
      return Error{ErrorKind::not_found, "model_not_found", or_else("not found"), param};
    case GP_ERR_TOO_LARGE:
      return Error{ErrorKind::too_large, "request_too_large", or_else("the request is too large"),
                   param};
    case GP_ERR_UNSUPPORTED:
      return Error{ErrorKind::unsupported, "unsupported_operation",
                   or_else("the provider does not offer this"), param, 501};
    case GP_ERR_CREDENTIAL_EXPIRED:
      return Error{ErrorKind::auth,
                   "credential_expired",
                   or_else("the credential must be refreshed"),
                   {},
                   502};
    case GP_ERR_CREDENTIAL:
      return Error{ErrorKind::auth,
                   "credential_unusable",
                   or_else("the credential cannot serve this"),
                   {},
                   502};
    case GP_ERR_NO_MEMORY:
      // Its own arena's bound is the host's doing.
      if (arena.exhausted())
        return Error{ErrorKind::overloaded,
                     "memory_limit",
                     "the request needs more memory than it may have",
                     {}};
      break;
    default:
      break;
  }
  return breach(hook, message.empty() ? fmt::format("failed ({})", status)
                                      : fmt::format("failed ({}): {}", status, message));
}

Result<Call> Provider::prepare(const CallRequest& request, int32_t* refresh_cause,
                               const PreparedLimits& limits) const {
  if (request.credential != nullptr && &request.credential->provider() != this) {
    return internal_error("a credential that another instance opened");
  }
  gp_request in{};
  fill_request(request, in);
  gp_upstream out{};
  out.size = sizeof out;
  auto error = fresh_error();
  Call call;
  call.provider_ = this;
  call.arena_ = request.arena;
  auto started = clock_.now_us();
  auto status = module_->vt().prepare(handle_, &in, &out, &call.call_, &error);
  note_duration("prepare", started);
  if (call.call_ != nullptr) enter_call(call.call_);
  if (status != GP_OK) {
    if (refresh_cause != nullptr)
      *refresh_cause = status == GP_ERR_CREDENTIAL_EXPIRED ? error.code : 0;
    return refusal("prepare", status, error, *request.arena);
  }
  auto prepared = check_upstream(out, {request.method, request.body}, *request.arena, limits);
  if (!prepared.ok()) {
    if (prepared.error().code != "module_error") return std::move(prepared).error();
    return breach("prepare", prepared.error().message);
  }
  if (prepared->buffer && module_->vt().body == nullptr)
    return breach("prepare", "BUFFER is set, but the hook body is null");
  call.upstream_ = *prepared;
  return call;
}

}  // namespace gproxy::modhost
