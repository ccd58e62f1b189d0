// The kind `claudecode`: a Claude subscription, logged in through the vendor's OAuth page. One
// instance is immutable after create and used by all loops.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gproxy/module.hpp"

namespace gproxy_claudecode {

extern const gp_kind kKind;
inline constexpr std::string_view kTag = "ClaudeCode";

// Models are told apart by families where the subscription treats them differently.
enum class Family : uint8_t { none, sonnet, opus };

// Whether requests of a family may use the long context.
enum class LongContext : uint8_t {
  off,      // the operator or the vendor does not want it
  unknown,  // as the client asks
  on,       // always asked for
};

// An account's tokens. Immutable; wiped when closed.
struct Account {
  std::string bearer;  // "Bearer <access token>"
  std::string refresh_token;
  std::string text;  // the whole tagged credential, for a patched one
  std::string identity, display;
  LongContext sonnet = LongContext::unknown, opus = LongContext::unknown;

  LongContext long_context(Family family) const {
    return family == Family::sonnet ? sonnet : family == Family::opus ? opus : LongContext::off;
  }
  ~Account() {
    gp::wipe(bearer);
    gp::wipe(refresh_token);
    gp::wipe(text);
  }
};

// Every address that the kind calls or shows.
struct Endpoints {
  std::string api;  // "/v1/messages" and the like are appended
  std::string authorize, token, profile, usage;
  std::string origin;  // of the authorisation page
};

class Provider {
 public:
  static constexpr bool kNeedsJson = true;
  static constexpr bool kNeedsCrypto = true;
  using Credential = Account;

  static gp::Status create(const gp::Settings& settings, std::unique_ptr<Provider>& out);
  std::span<const gp_route> routes() const;
  gp::Status open_credential(const gp::CredentialText& text, std::unique_ptr<Credential>& out,
                             gp_credential_info& info) const;
  gp::Status prepare(const gp::Request& request, gp::Upstream& up) const;
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
  // Empty: the gateway's own.
  const std::string& user_agent() const { return user_agent_; }

 private:
  gp::Status read_settings(const gp::Settings& settings);
  gp::Status read_prelude(const gp::Settings& settings);
  void read_rules(const gp::Settings& settings);
  Family family_of(std::string_view model) const;
  std::string_view betas_for(const gp::Request& request, const Account& account) const;
  void add_prelude(const gp::Request& request, gp::BodyEdit& edit) const;
  void guard_sampling(const gp::Request& request, gp::BodyEdit& edit) const;

  Endpoints endpoints_;
  std::string client_id_, redirect_uri_, scope_, user_agent_;
  std::string prelude_;                               // empty: system prompts go up as they came
  std::vector<std::string> one_sampling_;             // parts of models' names
  std::vector<std::string> sonnet_long_, opus_long_;  // beginnings of them
};

// The texts by which the vendor's clients begin their system prompts, by the setting's names.
std::string_view known_prelude(std::string_view name);
bool is_known_prelude(std::string_view system_text);

}  // namespace gproxy_claudecode
