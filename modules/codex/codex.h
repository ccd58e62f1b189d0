// The kind `codex`: a ChatGPT account with access to Codex, logged in by a browser or a device
// code. One instance is immutable after create and used by all loops.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/models.h"
#include "gproxy/module.hpp"

namespace gproxy_codex {

extern const gp_kind kKind;
inline constexpr std::string_view kTag = "Codex";

// An account's tokens. Immutable; wiped when closed.
struct Account {
  std::string bearer;  // "Bearer <access token>"
  std::string account_id;
  std::string refresh_token;
  std::string display;
  ~Account() {
    gp::wipe(bearer);
    gp::wipe(refresh_token);
  }
};

// Every address that the kind calls or shows.
struct Endpoints {
  std::string api;          // "/responses", "/models" are appended
  std::string authorize;    // browser login
  std::string token;        // exchange and refresh
  std::string device_code;  // asks for a code to show
  std::string device_poll;  // asks whether the person has agreed
  std::string device_page;  // where the person types the code
  std::string device_redirect;
  std::string usage;
};

// One attempt whose answer is written anew: a list of models, or one of them.
struct ModelsCall {
  std::string wanted;  // empty: the list
  const gp_json_ext* json = nullptr;
  gp::Status body(const gp_reply& in, gp_reply& out, const gp::Arena& arena) const;
};

class Provider {
 public:
  static constexpr bool kNeedsJson = true;
  static constexpr bool kNeedsCrypto = true;
  using Credential = Account;
  using Call = ModelsCall;
  using LocalCall = gproxy_common::NoStream;

  static gp::Status create(const gp::Settings& settings, std::unique_ptr<Provider>& out);
  std::span<const gp_route> routes() const { return routes_; }
  gp::Status open_credential(const gp::CredentialText& text, std::unique_ptr<Credential>& out,
                             gp_credential_info& info) const;
  gp::Status prepare(const gp::Request& request, gp::Upstream& up,
                     std::unique_ptr<Call>& call) const;
  gp::Status respond(const gp::Request& request, gp::Local& out,
                     std::unique_ptr<LocalCall>& call) const;
  gp::Status count_plan(const gp::Request& request, gp::CountPlan& plan) const;
  gp::Status classify(const gp::Failure& failure, gp::Verdict& verdict) const;
  void limits(const gp::LimitsIn& in, gp::Limits& out) const;

  static gp::Status oauth_start(const gp::StepIn& in, gp_step& out);
  static gp::Status oauth_callback(const gp::StepIn& in, gp_step& out);
  static gp::Status oauth_resume(const gp::StepIn& in, gp_step& out);
  static gp::Status refresh(const gp::StepIn& in, gp_step& out);
  static gp::Status refresh_resume(const gp::StepIn& in, gp_step& out);
  static gp::Status quota_start(const gp::StepIn& in, gp_step& out);
  static gp::Status quota_resume(const gp::StepIn& in, gp_step& out);

  const Endpoints& endpoints() const { return endpoints_; }
  const std::string& client_id() const { return client_id_; }
  const std::string& redirect_uri() const { return redirect_uri_; }
  const std::string& scope() const { return scope_; }
  const std::string& originator() const { return originator_; }
  // Empty: the gateway's own.
  const std::string& user_agent() const { return user_agent_; }

 private:
  gp::Status read_settings(const gp::Settings& settings);
  gp::Status read_endpoints(const gp::Settings& settings);
  gp::Status read_dropped(const gp::Settings& settings);

  Endpoints endpoints_;
  std::string client_id_, redirect_uri_, scope_, originator_, user_agent_, client_version_;
  std::vector<std::string> dropped_;  // parameters that the backend refuses
  gproxy_common::ModelTable models_;  // empty: the backend is asked
  std::vector<gp_route> routes_;
};

}  // namespace gproxy_codex
