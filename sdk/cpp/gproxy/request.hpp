// SPDX-License-Identifier: MIT
//
// What a hook is given and what it fills, as C++ over the C structures: Request, Upstream, Reply,
// Failure, Verdict. All are views for the length of one hook; none owns anything.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "gproxy/base.hpp"
#include "gproxy/ext/count.h"
#include "gproxy/ext/json.h"
#include "gproxy/ext/local.h"
#include "gproxy/json_splice.hpp"
#include "gproxy/url.hpp"

namespace gp {

// The host's JSON reader over one text that is known to be valid.
class Json {
 public:
  Json(const Arena& arena, const gp_json_ext* ext, std::string_view text)
      : arena_(arena), ext_(ext), text_(text) {}

  struct Value {
    bool found = false;
    int32_t type = GP_JSON_NULL;
    std::string_view text;  // decoded for strings, raw for everything else
    bool is_string() const { return found && type == GP_JSON_STRING; }
    bool is_true() const { return found && type == GP_JSON_BOOL && text == "true"; }
    bool is_array() const { return found && type == GP_JSON_ARRAY; }
    bool is_object() const { return found && type == GP_JSON_OBJECT; }
    // A string; missing, null and empty are one.
    std::string_view or_empty() const { return is_string() ? text : std::string_view(); }
  };

  Value get(std::string_view pointer) const {
    Value value;
    gp_str text{};
    if (ext_->get(arena_.handle(), str(text_), str(pointer), &value.type, &text) != GP_OK)
      return {};
    value.found = true;
    value.text = view(text);
    return value;
  }
  gp_json_node node(std::string_view pointer) const {
    gp_json_node out{};
    const gp_str path = str(pointer);
    if (ext_->index(str(text_), &path, 1, &out) != GP_OK) return {};
    return out;
  }
  // Calls visit(member) for each member or element; stops when it answers false.
  template <class Visit>
  void each(const gp_json_node& container, Visit visit) const {
    gp_json_member member{};
    gp_status status = ext_->first(str(text_), &container, &member);
    while (status == GP_OK) {
      if (!visit(static_cast<const gp_json_member&>(member))) return;
      status = ext_->next(str(text_), &container, &member);
    }
  }
  std::string_view decode(const gp_json_node& node) const {
    gp_str out{};
    if (ext_->decode(arena_.handle(), str(text_), &node, &out) != GP_OK) return {};
    return view(out);
  }
  // The same reader over one value of the text. Its nodes count from that value's first byte.
  Json inside(const gp_json_node& node) const { return Json(arena_, ext_, raw(node)); }
  std::string_view raw(const gp_json_node& node) const { return text_.substr(node.at, node.len); }
  std::string_view text() const { return text_; }
  // The host's table itself, for hooks that read JSON after prepare has returned (a Call's).
  const gp_json_ext* ext() const { return ext_; }

 private:
  const Arena& arena_;
  const gp_json_ext* ext_;
  std::string_view text_;
};

class Request {
 public:
  Request(const gp_request* raw, const Arena& arena, const gp_json_ext* json)
      : raw_(raw), arena_(arena), json_(json) {}

  const gp_request& raw() const { return *raw_; }
  const Arena& arena() const { return arena_; }
  int32_t protocol() const { return raw_->protocol; }
  int32_t operation() const { return raw_->operation; }
  bool streams() const { return raw_->operation == GP_OP_STREAM_GENERATE; }
  bool translated() const { return (raw_->flags & GP_REQUEST_TRANSLATED) != 0; }
  bool needs_sse() const { return (raw_->flags & GP_REQUEST_NEEDS_SSE) != 0; }
  std::string_view model() const { return view(raw_->model); }
  std::string_view resource() const { return view(raw_->resource); }
  std::string_view query() const { return view(raw_->query); }
  std::string_view body() const { return view(raw_->body); }
  std::span<const gp_header> headers() const { return {raw_->headers, raw_->header_count}; }
  std::string_view header(std::string_view name) const { return find_header(headers(), name); }

  // Null where the body has no such member.
  const gp_span* span(int32_t field) const {
    for (size_t i = 0; i < raw_->span_count; ++i) {
      if (raw_->spans[i].field == field) return &raw_->spans[i];
    }
    return nullptr;
  }
  std::string_view text(const gp_span& span) const { return body().substr(span.at, span.len); }
  static int32_t type(const gp_span& span) {
    return static_cast<int32_t>(span.flags & GP_SPAN_TYPE);
  }
  // REQUIRES: the module asked for gproxy.json/1 (kNeedsJson).
  Json json() const { return Json(arena_, json_, body()); }

  template <class Credential>
  const Credential& credential() const {
    return *reinterpret_cast<const Credential*>(raw_->credential);
  }
  bool has_credential() const { return raw_->credential != nullptr; }

 private:
  const gp_request* raw_;
  const Arena& arena_;
  const gp_json_ext* json_;
};

// What goes up. Setting a header again replaces it.
class Upstream {
 public:
  Upstream(const Request& request, gp_upstream* raw)
      : raw_(raw), arena_(request.arena()), request_(request), edit_(arena_, request.body()) {}

  gp_upstream& raw() { return *raw_; }
  void method(std::string_view method) { raw_->method = str(method); }
  void url(std::string_view url) { raw_->url = str(url); }
  void secret_query(std::string_view query) { raw_->secret_query = str(query); }
  void flag(uint32_t flags) { raw_->flags |= flags; }
  void body(std::string_view body) { raw_->body = str(body.data() == nullptr ? "" : body); }
  BodyEdit& edit() { return edit_; }

  void header(std::string_view name, std::string_view value) {
    for (size_t i = 0; i < count_; ++i) {
      if (equals_ignoring_case(view(headers_[i].name), name)) {
        headers_[i].value = str(value);
        return;
      }
    }
    add_header(name, value);
  }
  bool has_header(std::string_view name) const {
    return find_header({headers_, count_}, name).data() != nullptr;
  }
  // Takes every header of that name out again, also one that was forwarded.
  void remove_header(std::string_view name) {
    gp_header* end = std::remove_if(headers_, headers_ + count_, [&](const gp_header& header) {
      return equals_ignoring_case(view(header.name), name);
    });
    count_ = static_cast<size_t>(end - headers_);
  }

  // Copies what the client may say upstream: the protocol's own headers and those that the kind
  // lists, on native routes only. Then user-agent, accept and content-type where they are still
  // missing.
  void forward(const gp_kind& kind) {
    if (!request_.translated()) {
      for (const gp_header& header : request_.headers()) {
        if (!is_protocols_own(view(header.name)) && !is_listed(kind, view(header.name))) continue;
        // The module's own headers must find room.
        too_large_ =
            too_large_ || header.value.len > GP_MAX_HEADER_VALUE || count_ >= GP_MAX_HEADERS / 2;
        if (!too_large_) add_header(view(header.name), view(header.value));
      }
    }
    if (!has_header("user-agent")) add_header("user-agent", view(arena_.host()->user_agent));
    if (!has_header("accept")) add_header("accept", "application/json");
    if (!request_.body().empty() && !has_header("content-type")) {
      add_header("content-type", "application/json");
    }
  }

  // Makes the body's model what the host decided.
  void sync_model() {
    const gp_span* model = request_.span(GP_FIELD_MODEL);
    if (model != nullptr && (request_.raw().flags & GP_REQUEST_MODEL_DIFFERS) != 0) {
      edit_.replace(*model, json_quote(arena_, request_.model()));
    }
  }

  // Asks a Chat Completions stream for its usage chunk where the client has not said; the host
  // reads it and keeps it from the client. An explicit false is kept.
  void ask_for_usage() {
    const gp_span* root = request_.span(GP_FIELD_ROOT);
    if (root == nullptr) return;
    const gp_span* options = request_.span(GP_FIELD_STREAM_OPTIONS);
    const gp_span* include = request_.span(GP_FIELD_INCLUDE_USAGE);
    if (include != nullptr && Request::type(*include) != GP_JSON_NULL) return;
    if (include != nullptr) {
      edit_.replace(*include, "true");
    } else if (options == nullptr) {
      edit_.insert_member(root->at, R"("stream_options":{"include_usage":true})");
    } else if (Request::type(*options) == GP_JSON_NULL) {
      edit_.replace(*options, R"({"include_usage":true})");
    } else if (Request::type(*options) == GP_JSON_OBJECT) {
      edit_.insert_member(options->at, R"("include_usage":true)");
    } else {
      return;  // not for us to judge
    }
    flag(GP_UPSTREAM_USAGE_ADDED);
  }

  // By the trampoline, after the hook: hands the collected headers and edits over.
  Status finish() {
    raw_->headers = headers_;
    raw_->header_count = count_;
    if (too_large_) return {GP_ERR_TOO_LARGE, "the request's headers are too large"};
    if (raw_->url.len + raw_->secret_query.len > GP_MAX_URL) {
      return {GP_ERR_TOO_LARGE, "the request's address is too long"};
    }
    const bool sound = raw_->body.ptr != nullptr ? edit_.empty() : edit_.finish(*raw_);
    return sound ? ok() : internal("the edits of the body overlap, or stand beside a new body");
  }

 private:
  // One protocol's header says nothing to an upstream that is asked in another.
  bool is_protocols_own(std::string_view name) const {
    switch (request_.protocol()) {
      case GP_PROTOCOL_CLAUDE:
        return equals_ignoring_case(name, "anthropic-version") ||
               equals_ignoring_case(name, "anthropic-beta");
      case GP_PROTOCOL_OPENAI:
      case GP_PROTOCOL_OPENAI_CHAT:
      case GP_PROTOCOL_OPENAI_RESPONSE:
        return equals_ignoring_case(name, "openai-beta");
      default:
        return false;
    }
  }
  static bool is_listed(const gp_kind& kind, std::string_view name) {
    for (size_t i = 0; i < kind.forward_header_count; ++i) {
      std::string_view listed = view(kind.forward_headers[i]);
      if (listed.ends_with('*')) {
        listed.remove_suffix(1);
        if (equals_ignoring_case(name.substr(0, listed.size()), listed)) return true;
      } else if (equals_ignoring_case(listed, name)) {
        return true;
      }
    }
    return false;
  }
  void add_header(std::string_view name, std::string_view value) {
    if (headers_ == nullptr) headers_ = arena_.array<gp_header>(GP_MAX_HEADERS);
    if (count_ < GP_MAX_HEADERS) headers_[count_++] = {str(name), str(value)};
  }

  gp_upstream* raw_;
  const Arena& arena_;
  const Request& request_;
  BodyEdit edit_;
  gp_header* headers_ = nullptr;
  size_t count_ = 0;
  bool too_large_ = false;
};

// A local answer (gproxy.local/1).
class Local {
 public:
  Local(const Arena& arena, gp_local* raw) : raw_(raw), arena_(arena) {}

  // A whole answer; body must be static or in the arena.
  void answer(int32_t status, std::string_view content_type, std::string_view body) {
    head(status, content_type);
    raw_->body = str(body);
  }
  void json(int32_t status, std::string_view body) { answer(status, "application/json", body); }
  // One more header of the answer, up to seven. REQUIRES: the answer or stream stands already.
  void header(std::string_view name, std::string_view value) {
    if (headers_ == nullptr || raw_->header_count >= kMaxHeaders) return;
    headers_[raw_->header_count++] = {str(name), str(value)};
  }
  // The head of a stream; the pieces come from the LocalCall.
  void stream(int32_t status, std::string_view content_type) {
    head(status, content_type);
    raw_->flags |= GP_LOCAL_STREAM;
  }

 private:
  void head(int32_t status, std::string_view content_type) {
    headers_ = arena_.array<gp_header>(kMaxHeaders);
    headers_[0] = {str("content-type"), str(content_type)};
    raw_->status = status;
    raw_->headers = headers_;
    raw_->header_count = 1;
  }

  static constexpr size_t kMaxHeaders = 8;
  gp_local* raw_;
  const Arena& arena_;
  gp_header* headers_ = nullptr;
};

// With what the host counts a request's tokens (gproxy.count/1). Texts must be static, in the
// arena, or the provider's own. Nothing said means the estimate.
class CountPlan {
 public:
  explicit CountPlan(gp_count_plan* raw) : raw_(raw) {}

  void estimate() { set(GP_COUNT_ESTIMATE, {}); }
  void encoding(std::string_view name) { set(GP_COUNT_ENCODING, name); }
  void file(std::string_view path) { set(GP_COUNT_FILE, path); }
  void url(std::string_view url, std::string_view bearer = {}) {
    set(GP_COUNT_URL, url);
    raw_->bearer = str(bearer);
  }

 private:
  void set(int32_t source, std::string_view name) {
    raw_->source = source;
    raw_->name = str(name);
  }
  gp_count_plan* raw_;
};

// A failed attempt, for classify.
class Failure {
 public:
  Failure(const gp_failure* raw, const Arena& arena, const gp_json_ext* json)
      : raw_(raw), arena_(arena), json_(json) {}

  const gp_failure& raw() const { return *raw_; }
  const Arena& arena() const { return arena_; }
  int32_t status() const { return raw_->status; }
  bool is_http() const { return raw_->kind == GP_FAILURE_HTTP && raw_->status != 0; }
  std::string_view body() const { return view(raw_->body); }
  std::string_view header(std::string_view name) const {
    return find_header({raw_->headers, raw_->header_count}, name);
  }
  int64_t now_ms() const { return arena_.host()->now_ms(); }
  // The body as JSON, if it is (whole) JSON.
  std::optional<Json> json() const {
    if (json_ == nullptr || body().empty()) return std::nullopt;
    gp_error error = stamped<gp_error>();
    if (json_->validate(raw_->body, nullptr, &error) != GP_OK) return std::nullopt;
    return Json(arena_, json_, body());
  }
  // REQUIRES: `text` is valid JSON, and the module asked for gproxy.json/1 (kNeedsJson).
  Json json_of(std::string_view text) const { return Json(arena_, json_, text); }

 private:
  const gp_failure* raw_;
  const Arena& arena_;
  const gp_json_ext* json_;
};

class Verdict {
 public:
  explicit Verdict(gp_verdict* raw) : raw_(raw) {}

  void deliver() { set(GP_ACTION_DELIVER, {}); }
  void retry_same(std::string_view reason) { set(GP_ACTION_RETRY_SAME, reason); }
  void next(std::string_view reason) { set(GP_ACTION_NEXT, reason); }
  void dead(std::string_view reason) { set(GP_ACTION_DEAD, reason); }
  void refresh(int32_t cause, std::string_view reason) {
    set(GP_ACTION_REFRESH, reason);
    raw_->cause = cause;
  }
  void cool_down(int32_t scope, int64_t until_ms, std::string_view reason) {
    set(GP_ACTION_COOL_DOWN, reason);
    raw_->scope = scope;
    raw_->until_ms = until_ms;
  }
  void retry_patched(std::string_view credential_json, std::string_view reason) {
    set(GP_ACTION_RETRY_PATCHED, reason);
    raw_->credential_json = str(credential_json);
  }
  gp_verdict& raw() { return *raw_; }

 private:
  void set(int32_t action, std::string_view reason) {
    raw_->action = action;
    raw_->reason = str(reason);
  }
  gp_verdict* raw_;
};

}  // namespace gp
