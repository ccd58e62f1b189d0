// SPDX-License-Identifier: MIT
#include "testing/fake_host.h"

#include <algorithm>
#include <cstddef>

#include "testing/conformance.h"
#include "testing/fake_crypto.h"
#include "testing/fake_json.h"

namespace gp::testing {
namespace {

int64_t g_now_ms = 1'767'225'600'000;  // 2026-01-01

std::string_view view_of(gp_str s) {
  return s.len == 0 ? std::string_view("") : std::string_view(s.ptr, s.len);
}
gp_str str_of(std::string_view s) {
  return {s.data(), s.size()};
}

template <class T>
T stamped() {
  T value{};
  value.size = sizeof(T);
  return value;
}

Headers copy_headers(const gp_header* headers, size_t count) {
  Headers out;
  for (size_t i = 0; i < count; ++i)
    out.emplace_back(view_of(headers[i].name), view_of(headers[i].value));
  return out;
}

std::vector<gp_header> views_of(const Headers& headers) {
  std::vector<gp_header> out;
  for (const auto& [name, value] : headers) out.push_back({str_of(name), str_of(value)});
  return out;
}

bool same_name(std::string_view a, std::string_view b) {
  auto low = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [&](char x, char y) { return low(x) == low(y); });
}

int64_t fake_now() {
  return g_now_ms;
}

void note(std::string* message, std::string* param, const gp_error& error) {
  if (message != nullptr) *message = view_of(error.message);
  if (param != nullptr) *param = view_of(error.param);
}

// A request and everything it points to.
struct RawRequest {
  RawRequest(const RequestSpec& spec, const Credential* credential, FakeArena& arena)
      : headers(views_of(spec.headers)), spans(index_body(spec.body)), raw(stamped<gp_request>()) {
    raw.flags = spec.flags;
    raw.protocol = spec.protocol;
    raw.operation = spec.operation;
    raw.client_protocol = spec.client_protocol != 0 ? spec.client_protocol : spec.protocol;
    raw.attempt = spec.attempt;
    method = !spec.method.empty() ? spec.method : spec.body.empty() ? "GET" : "POST";
    raw.method = str_of(method);
    raw.path = str_of(spec.path);
    raw.query = str_of(spec.query);
    raw.model = str_of(spec.model);
    raw.resource = str_of(spec.resource);
    raw.body = str_of(spec.body);
    raw.headers = headers.data();
    raw.header_count = headers.size();
    raw.spans = spans.data();
    raw.span_count = spans.size();
    raw.credential = credential != nullptr ? credential->handle() : nullptr;
    raw.arena = arena.handle();
    raw.request_id = str_of("req-test");
  }
  std::vector<gp_header> headers;
  std::vector<gp_span> spans;
  std::string method;
  gp_request raw;
};

Judged judge(FakeHost& host, const gp_provider_vt& vt, const gp_provider* provider, gp_call* call,
             const FailureSpec& spec, const Credential* credential) {
  Judged out;
  if (vt.classify == nullptr) {
    out.status = GP_ERR_UNSUPPORTED;
    return out;
  }
  FakeArena arena;
  const std::vector<gp_header> headers = views_of(spec.headers);
  gp_failure failure = stamped<gp_failure>();
  failure.kind = spec.kind;
  failure.status = spec.status;
  failure.attempt = spec.attempt;
  failure.protocol = spec.protocol;
  failure.operation = spec.operation;
  failure.headers = headers.data();
  failure.header_count = headers.size();
  failure.body = str_of(spec.body);
  failure.model = str_of(spec.model);
  failure.credential = credential != nullptr ? credential->handle() : nullptr;
  failure.arena = arena.handle();
  gp_verdict verdict = stamped<gp_verdict>();
  out.status = vt.classify(provider, call, &failure, &verdict);
  if (verdict.size != sizeof(gp_verdict)) host.breach("gp_verdict.size was changed");
  if (verdict.action < GP_ACTION_DELIVER || verdict.action > GP_ACTION_DEAD)
    host.breach("unknown verdict action");
  if (verdict.action == GP_ACTION_COOL_DOWN && verdict.until_ms != 0 &&
      verdict.until_ms < g_now_ms) {
    host.breach("a cool-down that ends in the past");
  }
  out.action = verdict.action;
  out.scope = verdict.scope;
  out.cause = verdict.cause;
  out.until_ms = verdict.until_ms;
  out.reason = view_of(verdict.reason);
  out.credential_json = view_of(verdict.credential_json);
  return out;
}

// Counts writes and says "gone" after so many; a write after that is a breach.
struct CountingSink {
  Answer* out;
  FakeHost* host;
  size_t most;
  size_t writes = 0;
  bool refused = false;
  static gp_status write(void* ctx, gp_str bytes) {
    auto* self = static_cast<CountingSink*>(ctx);
    if (self->refused) self->host->breach("data wrote on after the sink had refused");
    if (self->writes >= self->most) {
      self->refused = true;
      return GP_ERR_CANCELLED;
    }
    ++self->writes;
    self->out->pieces.emplace_back(view_of(bytes));
    self->out->body += view_of(bytes);
    return GP_OK;
  }
};

}  // namespace

std::string header(const Headers& headers, std::string_view name) {
  for (const auto& [n, value] : headers) {
    if (same_name(n, name)) return value;
  }
  return {};
}

bool has_header(const Headers& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(),
                     [&](const auto& h) { return same_name(h.first, name); });
}

FakeHost::FakeHost() : table_{} {
  table_.self = this;
  gp_host& host = table_.host;
  host.size = sizeof(gp_host);
  host.abi_major = GP_ABI_MAJOR;
  host.abi_minor = GP_ABI_MINOR;
  host.version = str_of("0.0.0-test");
  host.user_agent = str_of("gproxy/0.0.0-test");
  host.alloc = arena_alloc;
  host.now_ms = fake_now;
  host.log = [](const gp_host* self, int32_t, gp_str message) {
    reinterpret_cast<const Table*>(self)->self->logs_.emplace_back(view_of(message));
  };
  host.extension = [](const gp_host* self, gp_str id) -> const void* {
    const auto& withheld = reinterpret_cast<const Table*>(self)->self->withheld_;
    if (std::find(withheld.begin(), withheld.end(), view_of(id)) != withheld.end()) return nullptr;
    if (view_of(id) == GP_EXT_JSON) return fake_json();
    if (view_of(id) == GP_EXT_CRYPTO) return fake_crypto();
    return nullptr;
  };
}

FakeHost::~FakeHost() = default;

void FakeHost::set_now_ms(int64_t now) {
  g_now_ms = now;
}

Module::Module(FakeHost& host, const gp_entry* entry) : host_(host), entry_(entry) {
  bool sound = true;
  const Breach breach = [&](std::string what) {
    sound = false;
    if (refusal_.empty()) refusal_ = what;
    host_.breach(std::move(what));
  };
  check_entry(entry, breach);
  if (sound) check_info(entry->info, breach);
  if (!sound) return;
  read_info(*entry->info);
  gp_error error = stamped<gp_error>();
  if (entry->init(host_.table(), &error) != GP_OK) {
    refusal_ = view_of(error.message);
    return;
  }
  started_ = ok_ = true;
}

Module::~Module() {
  if (started_) entry_->deinit();
}

void Module::read_info(const gp_info& info) {
  id_ = view_of(info.id);
  for (size_t i = 0; i < info.kind_count; ++i) {
    const gp_kind& k = *info.kinds[i];
    kinds_.push_back({std::string(view_of(k.name)), std::string(view_of(k.title)),
                      std::string(view_of(k.credential_tag)), std::string(view_of(k.gen_ai_name)),
                      std::string(view_of(k.settings_schema)),
                      std::string(view_of(k.credential_schema)), k.flags});
  }
}

const KindSeen* Module::kind(std::string_view name) const {
  for (const KindSeen& kind : kinds_) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

const void* Module::extension(std::string_view id) const {
  return entry_->extension == nullptr ? nullptr : entry_->extension(str_of(id));
}

std::unique_ptr<Instance> Module::create(std::string_view kind, std::string_view settings_json,
                                         std::string* message, std::string* param,
                                         std::string_view name) {
  // Copies that die with the call: a module that keeps a view is caught by the sanitizers.
  const std::string kind_copy(kind), settings_copy(settings_json), name_copy(name);
  FakeArena arena;
  gp_instance made = stamped<gp_instance>();
  made.arena = arena.handle();
  gp_error error = stamped<gp_error>();
  if (entry_->provider->create(str_of(kind_copy), str_of(name_copy), str_of(settings_copy), &made,
                               &error) != GP_OK) {
    note(message, param, error);
    return nullptr;
  }
  if (made.size != sizeof(gp_instance)) host_.breach("gp_instance.size was changed");
  auto instance = std::unique_ptr<Instance>(new Instance());
  instance->host_ = &host_;
  instance->vt_ = entry_->provider;
  instance->local_ = static_cast<const gp_local_ext*>(extension(GP_EXT_LOCAL));
  instance->provider_ = made.provider;
  instance->routes_.assign(made.routes, made.routes + made.route_count);
  instance->count_ = static_cast<const gp_count_ext*>(extension(GP_EXT_COUNT));
  instance->limits_ = static_cast<const gp_limits_ext*>(extension(GP_EXT_LIMITS));
  check_routes(instance->routes_, {instance->local_ != nullptr, instance->count_ != nullptr},
               [&](std::string what) { host_.breach(std::move(what)); });
  return instance;
}

Instance::~Instance() {
  vt_->destroy(provider_);
}

int32_t Instance::mode(int32_t protocol, int32_t operation, int32_t* target) const {
  for (const gp_route& row : routes_) {
    if (row.protocol != protocol || row.operation != operation) continue;
    if (target != nullptr) *target = row.target;
    return row.mode;
  }
  return GP_ROUTE_UNSUPPORTED;
}

std::unique_ptr<Credential> Instance::open(std::string_view credential_json, std::string* message,
                                           std::string* param) {
  if (vt_->credential_open == nullptr) {
    host_->breach("no credential_open");
    return nullptr;
  }
  const std::string text(credential_json);
  FakeArena arena;
  gp_credential_info info = stamped<gp_credential_info>();
  info.arena = arena.handle();
  gp_error error = stamped<gp_error>();
  if (vt_->credential_open(provider_, str_of(text), &info, &error) != GP_OK) {
    note(message, param, error);
    return nullptr;
  }
  auto credential = std::unique_ptr<Credential>(new Credential());
  credential->vt_ = vt_;
  credential->handle_ = info.credential;
  credential->identity = view_of(info.identity);
  credential->display_name = view_of(info.display_name);
  credential->expires_at_ms = info.expires_at_ms;
  credential->flags = info.flags;
  return credential;
}

Credential::~Credential() {
  if (vt_->credential_close != nullptr) vt_->credential_close(handle_);
}

std::unique_ptr<Call> Instance::begin(const RequestSpec& spec, const Credential* credential) {
  auto call = std::unique_ptr<Call>(new Call());
  call->instance_ = this;
  call->credential_ = credential;
  call->arena_ = std::make_unique<FakeArena>();
  const RawRequest request(spec, credential, *call->arena_);
  gp_upstream upstream = stamped<gp_upstream>();
  gp_error error = stamped<gp_error>();
  Sent& sent = call->sent_;
  sent.status = vt_->prepare(provider_, &request.raw, &upstream, &call->call_, &error);
  if (sent.status != GP_OK) {
    note(&sent.message, &sent.param, error);
    sent.cause = error.code;
    return call;
  }
  check_upstream(upstream, spec.body, [&](std::string what) { host_->breach(std::move(what)); });
  if ((upstream.flags & GP_UPSTREAM_BUFFER) != 0 && vt_->body == nullptr)
    host_->breach("BUFFER without a body hook");
  sent.flags = upstream.flags;
  sent.method = upstream.method.len > 0 ? std::string(view_of(upstream.method)) : request.method;
  sent.url = view_of(upstream.url);
  sent.secret_query = view_of(upstream.secret_query);
  sent.splices = upstream.splice_count;
  sent.headers = copy_headers(upstream.headers, upstream.header_count);
  if ((upstream.flags & GP_UPSTREAM_NO_BODY) != 0) {
    sent.body.clear();
  } else if (upstream.body.ptr != nullptr) {
    sent.body = view_of(upstream.body);
  } else {
    sent.body = apply_splices(spec.body, {upstream.splices, upstream.splice_count});
  }
  sent.has_body = !sent.body.empty();
  return call;
}

Sent Instance::prepare(const RequestSpec& spec, const Credential* credential) {
  return begin(spec, credential)->sent();
}

Answer Instance::respond(const RequestSpec& spec, size_t most_pieces) {
  Answer out;
  if (local_ == nullptr) {
    host_->breach("no gproxy.local/1");
    return out;
  }
  FakeArena arena;
  const RawRequest request(spec, nullptr, arena);
  gp_local local = stamped<gp_local>();
  gp_call* call = nullptr;
  gp_error error = stamped<gp_error>();
  out.status_code = local_->respond(provider_, &request.raw, &local, &call, &error);
  out.message = view_of(error.message);
  out.streamed = (local.flags & GP_LOCAL_STREAM) != 0;
  if (out.status_code == GP_OK) {
    if (local.status < 200 || local.status > 599) host_->breach("a local answer without a status");
    check_headers({local.headers, local.header_count}, "local answer",
                  [&](std::string what) { host_->breach(std::move(what)); });
    out.status = local.status;
    out.headers = copy_headers(local.headers, local.header_count);
    out.body = view_of(local.body);
    if (out.streamed && call == nullptr) host_->breach("a local stream without a call");
    for (bool last = !out.streamed || call == nullptr; !last && out.pieces.size() < most_pieces;) {
      gp_piece piece = stamped<gp_piece>();
      const gp_status status = local_->next(call, &piece);
      if (status != GP_OK) {
        out.status_code = status;
        break;
      }
      if (piece.delay_ms < 0 || piece.delay_ms > 60'000)
        host_->breach("a piece's delay is out of range");
      if (piece.bytes.len > 1024 * 1024) host_->breach("a piece is too long");
      out.pieces.emplace_back(view_of(piece.bytes));
      out.delays_ms.push_back(piece.delay_ms);
      out.body += view_of(piece.bytes);
      last = (piece.flags & GP_PIECE_LAST) != 0;
      if (out.pieces.size() > 100'000) {
        host_->breach("a local stream without an end");
        break;
      }
    }
  }
  if (call != nullptr) {
    if (local_->release == nullptr) {
      host_->breach("gproxy.local/1 sets a call but has no release");
    } else {
      local_->release(call);
    }
  }
  return out;
}

CountPlanned Instance::count_plan(const RequestSpec& spec) {
  CountPlanned out;
  if (count_ == nullptr) {
    host_->breach("no gproxy.count/1");
    return out;
  }
  FakeArena arena;
  const RawRequest request(spec, nullptr, arena);
  gp_count_plan plan = stamped<gp_count_plan>();
  gp_error error = stamped<gp_error>();
  out.status = count_->plan(provider_, &request.raw, &plan, &error);
  out.message = view_of(error.message);
  out.param = view_of(error.param);
  out.source = plan.source;
  out.name = view_of(plan.name);
  out.bearer = view_of(plan.bearer);
  return out;
}

std::vector<LimitSeen> Instance::limits(const Headers& headers, const Credential& credential,
                                        int32_t status) {
  if (limits_ == nullptr) {
    host_->breach("no gproxy.limits/1");
    return {};
  }
  const std::vector<gp_header> views = views_of(headers);
  gp_limits_in in = stamped<gp_limits_in>();
  in.status = status;
  in.protocol = GP_PROTOCOL_OPENAI_CHAT;
  in.operation = GP_OP_GENERATE;
  in.now_ms = host_->table()->now_ms();
  in.model = gp_str{"m", 1};
  in.headers = views.data();
  in.header_count = views.size();
  in.credential = credential.handle();
  std::vector<gp_limit> room(GP_MAX_LIMITS);
  size_t count = 0;
  const gp_status said = limits_->read(provider_, &in, room.data(), room.size(), &count);
  if (said == GP_ERR_NOT_FOUND) return {};
  if (said != GP_OK || count == 0 || count > room.size()) {
    host_->breach("limits: neither windows nor GP_ERR_NOT_FOUND");
    return {};
  }
  std::vector<LimitSeen> out;
  for (const gp_limit& one : std::span(room).first(count)) {
    for (gp_str text : {one.name, one.subject, one.unit}) {
      if (text.len > GP_MAX_LIMIT_TEXT) host_->breach("limits: a text is too long");
    }
    if (one.name.len == 0) host_->breach("limits: a window without a name");
    out.push_back({std::string(view_of(one.name)), std::string(view_of(one.subject)),
                   std::string(view_of(one.unit)), one.used_ppm, one.limit, one.remaining,
                   one.resets_at_ms, one.scope, (one.flags & GP_LIMIT_REST) != 0});
  }
  return out;
}

Judged Instance::classify(const FailureSpec& spec, const Credential* credential) {
  return judge(*host_, *vt_, provider_, nullptr, spec, credential);
}

Call::~Call() {
  if (call_ != nullptr) instance_->vt_->release(call_);
}

Judged Call::classify(const FailureSpec& spec) {
  return judge(*instance_->host_, *instance_->vt_, instance_->provider_, call_, spec, credential_);
}

void Call::run_data(const std::vector<std::string>& pieces, size_t most_writes, Answer& out) {
  CountingSink counting{&out, instance_->host_, most_writes};
  const gp_sink sink = {&counting, CountingSink::write};
  for (size_t i = 0; i < pieces.size(); ++i) {
    const uint32_t flags = i + 1 == pieces.size() ? GP_DATA_LAST : 0;
    const std::string piece = pieces[i];
    const gp_status status = instance_->vt_->data(call_, str_of(piece), flags, &sink);
    if (counting.refused && status != GP_ERR_CANCELLED)
      instance_->host_->breach("data ignored the sink's result");
    if (status != GP_OK) {
      out.status_code = status;
      return;
    }
  }
}

Answer Call::answer(int status, const Headers& headers, const std::vector<std::string>& pieces) {
  const gp_provider_vt& vt = *instance_->vt_;
  Answer out;
  out.status = status;
  out.headers = headers;
  const std::vector<gp_header> views = views_of(headers);
  const Breach breach = [&](std::string what) { instance_->host_->breach(std::move(what)); };
  if ((sent_.flags & GP_UPSTREAM_BUFFER) != 0) {
    std::string whole;
    for (const std::string& piece : pieces) whole += piece;
    gp_reply in = stamped<gp_reply>();
    in.status = status;
    in.headers = views.data();
    in.header_count = views.size();
    in.body = str_of(whole);
    in.arena = arena_->handle();
    gp_reply reply = in;
    gp_error error = stamped<gp_error>();
    out.status_code = vt.body(call_, &in, &reply, &error);
    out.message = view_of(error.message);
    if (out.status_code != GP_OK) return out;
    check_headers({reply.headers, reply.header_count}, "answer", breach);
    out.status = reply.status;
    out.headers = copy_headers(reply.headers, reply.header_count);
    out.body = view_of(reply.body);
    return out;
  }
  if (vt.head != nullptr && call_ != nullptr) {
    gp_head in = stamped<gp_head>();
    in.status = status;
    in.headers = views.data();
    in.header_count = views.size();
    in.arena = arena_->handle();
    gp_head head = in;
    out.status_code = vt.head(call_, &in, &head);
    if (out.status_code != GP_OK) return out;
    out.status = head.status;
    out.headers = copy_headers(head.headers, head.header_count);
  }
  if (vt.data != nullptr && call_ != nullptr) {
    run_data(pieces, SIZE_MAX, out);
  } else {
    for (const std::string& piece : pieces) out.body += piece;
    out.pieces = pieces;
  }
  return out;
}

Answer Call::answer_cancelled_after(size_t writes, const std::vector<std::string>& pieces) {
  Answer out;
  if (instance_->vt_->data != nullptr && call_ != nullptr) run_data(pieces, writes, out);
  return out;
}

}  // namespace gp::testing
