// SPDX-License-Identifier: MIT
//
// A provider module in C++: write a class, name it in GPROXY_MODULE, and the C table is made from
// what the class has. Hooks that the class lacks stay null and cost nothing. No exception leaves
// the module: each trampoline turns it into GP_ERR_INTERNAL.
//
//   class Provider {
//    public:
//     static constexpr bool kNeedsJson = true;               // optional: init fails without
//     gproxy.json/1
//     // [main] Required. Makes an instance.
//     static gp::Status create(const gp::Settings&, std::unique_ptr<Provider>& out);
//     // [main] Required. Lives as long as the instance.
//     std::span<const gp_route> routes() const;
//     // [loop] Required. The form with a Call where head, data or body are needed.
//     gp::Status prepare(const gp::Request&, gp::Upstream&) const;
//     gp::Status prepare(const gp::Request&, gp::Upstream&, std::unique_ptr<Call>&) const;
//
//     using Credential = …;                                  // if its kinds take one
//     gp::Status open_credential(const gp::CredentialText&, std::unique_ptr<Credential>& out,
//                                gp_credential_info& info) const;                              //
//                                [any]
//     using Call = …;   // with any of: Status head(const gp_head&, gp_head&); [loop]
//                       //   Status data(string_view, bool last, const gp::Sink&); [loop]
//                       //   Status body(const gp_reply&, gp_reply&, const gp::Arena&); [loop]
//     gp::Status classify(const gp::Failure&, gp::Verdict&) const;                              //
//     [loop]
//
//     using LocalCall = …;   // Status next(gp_piece&);   for streamed local answers [loop]
//     gp::Status respond(const gp::Request&, gp::Local&, std::unique_ptr<LocalCall>&) const;    //
//     [loop]
//
//     gp::Status count_plan(const gp::Request&, gp::CountPlan&) const;   // for LOCAL count rows
//     [loop]
//
//     void limits(const gp::LimitsIn&, gp::Limits&) const;   // rate-limit headers of answers
//     [loop]
//
//     static gp::Status oauth_start(const gp::StepIn&, gp_step&);  // and oauth_callback,
//     oauth_resume,
//     // refresh, refresh_resume, quota_start, quota_resume [any] static const void*
//     extension(std::string_view id);           // anything else
//   };
//   GPROXY_MODULE(Provider, kInfo)
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "gproxy/abi.h"
#include "gproxy/base.hpp"
#include "gproxy/ext/count.h"
#include "gproxy/ext/credential.h"
#include "gproxy/ext/crypto.h"
#include "gproxy/ext/json.h"
#include "gproxy/ext/limits.h"
#include "gproxy/ext/local.h"
#include "gproxy/ext/oauth.h"
#include "gproxy/ext/quota.h"
#include "gproxy/json_splice.hpp"
#include "gproxy/limits.hpp"
#include "gproxy/request.hpp"
#include "gproxy/url.hpp"

namespace gp {

// The settings of an instance that is being made. Texts die with create: copy what is kept.
struct Settings {
  std::string_view kind;
  std::string_view name;
  std::string_view text;
  const Arena& arena;
  const gp_json_ext* json_ext;  // null unless kNeedsJson

  Json json() const { return Json(arena, json_ext, text); }
};

// A credential that is being opened. Texts die with open_credential.
struct CredentialText {
  std::string_view text;
  const Arena& arena;
  const gp_json_ext* json_ext;

  Json json() const { return Json(arena, json_ext, text); }
};

struct StepIn {
  const gp_step_in& raw;
  const Arena& arena;
  const gp_json_ext* json_ext;
  const gp_crypto_ext* crypto;

  // REQUIRES: `text` is valid JSON (validate a reply first).
  Json json(std::string_view text) const { return Json(arena, json_ext, text); }
};

class Sink {
 public:
  explicit Sink(const gp_sink* raw) : raw_(raw) {}
  // A result that is not ok must be returned at once.
  Status write(std::string_view bytes) const {
    const gp_status status = raw_->write(raw_->ctx, str(bytes));
    return {status, status == GP_OK ? std::string_view() : "the reader is gone"};
  }

 private:
  const gp_sink* raw_;
};

namespace detail {

template <class P>
concept HasCredential = requires {
  typename P::Credential;
};
template <class P>
concept HasCall = requires {
  typename P::Call;
};
template <class P>
concept HasLocal = requires {
  typename P::LocalCall;
};
template <class P>
concept HasCount = requires(const P& p, const Request& r, CountPlan& c) {
  p.count_plan(r, c);
};
template <class P>
concept HasClassify = requires(const P& p, const Failure& f, Verdict& v) {
  p.classify(f, v);
};
template <class P>
concept HasLimits = requires(const P& p, const LimitsIn& in, Limits& out) {
  p.limits(in, out);
};
template <class P>
concept HasOauth = requires(const StepIn& in, gp_step& out) {
  P::oauth_start(in, out);
};
template <class P>
concept HasRefresh = requires(const StepIn& in, gp_step& out) {
  P::refresh(in, out);
};
template <class P>
concept HasQuota = requires(const StepIn& in, gp_step& out) {
  P::quota_start(in, out);
};
template <class P>
concept HasExtension = requires(std::string_view id) {
  P::extension(id);
};
template <class C>
concept HasHead = requires(C& c, const gp_head& in, gp_head& out) {
  c.head(in, out);
};
template <class C>
concept HasData = requires(C& c, std::string_view in, bool last, const Sink& s) {
  c.data(in, last, s);
};
template <class C>
concept HasBody = requires(C& c, const gp_reply& in, gp_reply& out, const Arena& a) {
  c.body(in, out, a);
};

inline gp_status report(const Status& status, gp_error* error) {
  if (status.code != GP_OK && error != nullptr) {
    error->message = str(status.message);
    error->param = str(status.param);
    error->code = status.cause;
  }
  return status.code;
}

// The wall: nothing thrown in a hook gets out of the module.
template <class Hook>
gp_status guarded(gp_error* error, Hook hook) noexcept {
  try {
    return report(hook(), error);
  } catch (const std::bad_alloc&) {
    return report({GP_ERR_NO_MEMORY, "out of memory"}, error);
  } catch (...) {
    return report({GP_ERR_INTERNAL, "an exception ended the hook"}, error);
  }
}

// One per module: the host it was started with and the tables made from class P.
template <class P>
struct Entry {
  static inline const gp_host* host = nullptr;
  static inline const gp_json_ext* json = nullptr;
  static inline const gp_crypto_ext* crypto = nullptr;

  static gp_status init(const gp_host* given, gp_error* error) noexcept {
    host = given;
    json = static_cast<const gp_json_ext*>(given->extension(given, str(GP_EXT_JSON)));
    crypto = static_cast<const gp_crypto_ext*>(given->extension(given, str(GP_EXT_CRYPTO)));
    if constexpr (requires { P::kNeedsJson; }) {
      if (P::kNeedsJson && json == nullptr) {
        return report({GP_ERR_UNSUPPORTED, "the host does not offer gproxy.json/1"}, error);
      }
    }
    if constexpr (requires { P::kNeedsCrypto; }) {
      if (P::kNeedsCrypto && crypto == nullptr) {
        return report({GP_ERR_UNSUPPORTED, "the host does not offer gproxy.crypto/1"}, error);
      }
    }
    return GP_OK;
  }
  static void deinit() noexcept {
    host = nullptr;
    json = nullptr;
    crypto = nullptr;
  }

  static gp_status create(gp_str kind, gp_str name, gp_str settings, gp_instance* out,
                          gp_error* error) noexcept {
    return guarded(error, [&]() -> Status {
      const Arena arena(host, out->arena);
      std::unique_ptr<P> made;
      Status status =
          P::create(Settings{view(kind), view(name), view(settings), arena, json}, made);
      if (!status.ok()) return status;
      const std::span<const gp_route> routes = made->routes();
      out->routes = routes.data();
      out->route_count = routes.size();
      out->provider = reinterpret_cast<gp_provider*>(made.release());
      return ok();
    });
  }
  static void destroy(gp_provider* provider) noexcept { delete reinterpret_cast<P*>(provider); }

  static gp_status credential_open(const gp_provider* provider, gp_str text,
                                   gp_credential_info* out, gp_error* error) noexcept {
    return guarded(error, [&]() -> Status {
      if constexpr (HasCredential<P>) {
        const Arena arena(host, out->arena);
        std::unique_ptr<typename P::Credential> opened;
        Status status =
            self(provider).open_credential(CredentialText{view(text), arena, json}, opened, *out);
        if (status.ok()) out->credential = reinterpret_cast<gp_credential*>(opened.release());
        return status;
      } else {
        return unsupported("takes no credential");
      }
    });
  }
  static void credential_close(gp_credential* credential) noexcept {
    if constexpr (HasCredential<P>) delete reinterpret_cast<typename P::Credential*>(credential);
  }

  static gp_status prepare(const gp_provider* provider, const gp_request* raw, gp_upstream* out,
                           gp_call** call, gp_error* error) noexcept {
    return guarded(error, [&]() -> Status {
      const Arena arena(host, raw->arena);
      const Request request(raw, arena, json);
      Upstream upstream(request, out);
      Status status;
      if constexpr (HasCall<P>) {
        std::unique_ptr<typename P::Call> made;
        status = self(provider).prepare(request, upstream, made);
        *call = reinterpret_cast<gp_call*>(made.release());
      } else {
        status = self(provider).prepare(request, upstream);
      }
      return status.ok() ? upstream.finish() : status;
    });
  }

  static gp_status head(gp_call* call, const gp_head* in, gp_head* out) noexcept {
    return guarded(nullptr, [&]() -> Status { return self(call).head(*in, *out); });
  }
  static gp_status data(gp_call* call, gp_str in, uint32_t flags, const gp_sink* sink) noexcept {
    return guarded(nullptr, [&]() -> Status {
      return self(call).data(view(in), (flags & GP_DATA_LAST) != 0, Sink(sink));
    });
  }
  static gp_status body(gp_call* call, const gp_reply* whole, gp_reply* out,
                        gp_error* error) noexcept {
    return guarded(error, [&]() -> Status {
      const Arena arena(host, whole->arena);
      return self(call).body(*whole, *out, arena);
    });
  }
  static gp_status classify(const gp_provider* provider, gp_call*, const gp_failure* failure,
                            gp_verdict* verdict) noexcept {
    return guarded(nullptr, [&]() -> Status {
      const Arena arena(host, failure->arena);
      Verdict out(verdict);
      return self(provider).classify(Failure(failure, arena, json), out);
    });
  }
  static void release(gp_call* call) noexcept {
    if constexpr (HasCall<P>) delete reinterpret_cast<typename P::Call*>(call);
  }

  static gp_status respond(const gp_provider* provider, const gp_request* raw, gp_local* out,
                           gp_call** call, gp_error* error) noexcept {
    return guarded(error, [&]() -> Status {
      const Arena arena(host, raw->arena);
      const Request request(raw, arena, json);
      Local local(arena, out);
      std::unique_ptr<typename P::LocalCall> made;
      Status status = self(provider).respond(request, local, made);
      *call = reinterpret_cast<gp_call*>(made.release());
      return status;
    });
  }
  static gp_status local_next(gp_call* call, gp_piece* out) noexcept {
    return guarded(nullptr, [&]() -> Status {
      return reinterpret_cast<typename P::LocalCall*>(call)->next(*out);
    });
  }
  static void local_release(gp_call* call) noexcept {
    delete reinterpret_cast<typename P::LocalCall*>(call);
  }

  static gp_status count_plan(const gp_provider* provider, const gp_request* raw,
                              gp_count_plan* out, gp_error* error) noexcept {
    return guarded(error, [&]() -> Status {
      const Arena arena(host, raw->arena);
      CountPlan plan(out);
      return self(provider).count_plan(Request(raw, arena, json), plan);
    });
  }

  static gp_status read_limits(const gp_provider* provider, const gp_limits_in* in, gp_limit* out,
                               size_t room, size_t* count) noexcept {
    return guarded(nullptr, [&]() -> Status {
      Limits limits({out, room});
      self(provider).limits(LimitsIn(in), limits);
      *count = limits.count();
      return {limits.count() > 0 ? GP_OK : GP_ERR_NOT_FOUND, {}};
    });
  }

  template <Status (*kStep)(const StepIn&, gp_step&)>
  static gp_status step(const gp_step_in* in, gp_step* out) noexcept {
    return guarded(nullptr, [&]() -> Status {
      const Arena arena(host, in->arena);
      return kStep(StepIn{*in, arena, json, crypto}, *out);
    });
  }

  static const void* extension(gp_str id) noexcept {
    const std::string_view name = view(id);
    if constexpr (HasLocal<P>) {
      static constexpr gp_local_ext kLocal = {sizeof(gp_local_ext), 0, respond, local_next,
                                              local_release};
      if (name == GP_EXT_LOCAL) return &kLocal;
    }
    if constexpr (HasCount<P>) {
      static constexpr gp_count_ext kCount = {sizeof(gp_count_ext), 0, count_plan};
      if (name == GP_EXT_COUNT) return &kCount;
    }
    if constexpr (HasLimits<P>) {
      static constexpr gp_limits_ext kLimits = {sizeof(gp_limits_ext), 0, read_limits};
      if (name == GP_EXT_LIMITS) return &kLimits;
    }
    if constexpr (HasOauth<P>) {
      static constexpr gp_oauth_ext kOauth = {sizeof(gp_oauth_ext), 0, step<P::oauth_start>,
                                              step<P::oauth_callback>, step<P::oauth_resume>};
      if (name == GP_EXT_OAUTH) return &kOauth;
    }
    if constexpr (HasRefresh<P>) {
      static constexpr gp_credential_ext kRefresh = {sizeof(gp_credential_ext), 0, step<P::refresh>,
                                                     step<P::refresh_resume>};
      if (name == GP_EXT_CREDENTIAL) return &kRefresh;
    }
    if constexpr (HasQuota<P>) {
      static constexpr gp_quota_ext kQuota = {sizeof(gp_quota_ext), 0, step<P::quota_start>,
                                              step<P::quota_resume>};
      if (name == GP_EXT_QUOTA) return &kQuota;
    }
    if constexpr (HasExtension<P>) return P::extension(name);
    return nullptr;
  }

  static constexpr gp_provider_vt table() {
    gp_provider_vt vt = stamped<gp_provider_vt>();
    vt.create = create;
    vt.destroy = destroy;
    vt.prepare = prepare;
    vt.release = release;
    if constexpr (HasCredential<P>) {
      vt.credential_open = credential_open;
      vt.credential_close = credential_close;
    }
    if constexpr (HasCall<P>) {
      if constexpr (HasHead<typename P::Call>) vt.head = head;
      if constexpr (HasData<typename P::Call>) vt.data = data;
      if constexpr (HasBody<typename P::Call>) vt.body = body;
    }
    if constexpr (HasClassify<P>) vt.classify = classify;
    return vt;
  }
  static constexpr gp_entry entry(const gp_info* info, const gp_provider_vt* vt) {
    gp_entry made = stamped<gp_entry>();
    made.abi_major = GP_ABI_MAJOR;
    made.abi_minor = GP_ABI_MINOR;
    made.info = info;
    made.provider = vt;
    made.init = init;
    made.deinit = deinit;
    made.extension = extension;
    return made;
  }

 private:
  static const P& self(const gp_provider* provider) {
    return *reinterpret_cast<const P*>(provider);
  }
  static auto& self(gp_call* call) { return *reinterpret_cast<typename P::Call*>(call); }
};

}  // namespace detail
}  // namespace gp

// Defines the module's entry for provider class P and its gp_info. In the global namespace, once.
#define GPROXY_MODULE(P, kInfoObject)                                                          \
  extern "C" GP_EXPORT const gp_entry* GP_ENTRY_1(void) {                                      \
    static constexpr gp_provider_vt kTable = ::gp::detail::Entry<P>::table();                  \
    static constexpr gp_entry kEntry = ::gp::detail::Entry<P>::entry(&(kInfoObject), &kTable); \
    return &kEntry;                                                                            \
  }
