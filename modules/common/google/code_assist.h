// Gemini Code Assist's internal API (cloudcode-pa) behind an account that a person logged in: what
// the kinds built on it share. A module's Provider derives from CodeAssist; its step machines are
// the free functions below. Immutable after create, used by all loops; machines keep nothing but
// their flow.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gproxy/module.hpp"

namespace gproxy_google {

// What tells one product from another. Static.
struct Product {
  std::string_view tag;       // credential tag
  std::string_view kind;      // for names of credentials
  std::string_view base_url;  // defaults of settings
  std::string_view redirect_uri;
  std::string_view user_agent;   // with client_identity "vendor"
  std::string_view scopes;       // space separated
  bool invents_project;          // where none is found: a made-up name instead of a failure
  bool redetects_after_refresh;  // the project is looked up again with each new token
};

struct Account {
  std::string bearer;   // "Bearer <token>"; empty: none yet
  std::string project;  // empty: not known yet
  std::string email;
  int64_t expires_at_ms = 0;
  int64_t project_checked_ms = 0;  // when the project was last looked up after a 404
  bool refreshable = false;        // it has a refresh token

  ~Account() { gp::wipe(bearer); }
};

// A 404 may mean that the project moved: gproxy.credential/1 looks it up again, this often at most.
inline constexpr int32_t kCauseProject = 1000;
inline constexpr int64_t kProjectCheckMs = 10 * 60 * 1000;

class CodeAssist {
 public:
  explicit CodeAssist(const Product& product) : product_(product) {}

  gp::Status read_settings(const gp::Settings& settings);
  gp::Status open_account(const gp::CredentialText& text, std::unique_ptr<Account>& out,
                          gp_credential_info& info) const;
  // Method, address, headers; CREDENTIAL_EXPIRED where the account has no token or project.
  gp::Status begin(const gp::Request& request, gp::Upstream& up, const gp_kind& kind,
                   std::string_view path) const;
  gp::Status judge_failure(const gp::Failure& failure, gp::Verdict& verdict) const;

  const Product& product() const { return product_; }
  const std::string& base_url() const { return base_url_; }
  const std::string& authorize_url() const { return authorize_url_; }
  const std::string& token_url() const { return token_url_; }
  const std::string& userinfo_url() const { return userinfo_url_; }
  const std::string& client_id() const { return client_id_; }
  const std::string& client_secret() const { return client_secret_; }
  // Empty: the host's own.
  std::string_view user_agent() const {
    return vendor_identity_ ? std::string_view(user_agent_) : std::string_view();
  }
  // The `metadata` object of loadCodeAssist and onboardUser.
  std::string_view metadata() const;

 private:
  const Product& product_;
  std::string base_url_, authorize_url_, token_url_, userinfo_url_;
  std::string client_id_, client_secret_, user_agent_;
  bool vendor_identity_ = false;
};

// gproxy.oauth/1: authorisation code with PKCE.
gp::Status login_start(const CodeAssist& self, const gp::StepIn& in, gp_step& out);
gp::Status login_callback(const CodeAssist& self, const gp::StepIn& in, gp_step& out);
// gproxy.credential/1: new tokens, and the project where it is missing or in doubt.
gp::Status refresh_account(const CodeAssist& self, const gp::StepIn& in, gp_step& out);
// What follows each FETCH and WAIT of the three.
gp::Status account_resume(const CodeAssist& self, const gp::StepIn& in, gp_step& out);

// gproxy.quota/1: POST `path` with `body`; `windows` reads the answer.
gp::Status quota_ask(const CodeAssist& self, const gp::StepIn& in, gp_step& out,
                     std::string_view path, std::string_view body);
using ReadWindows = std::string_view (*)(const gp::Json& answer, const gp::Arena& arena);
gp::Status quota_answer(const gp::StepIn& in, gp_step& out, ReadWindows windows);

// The base of a module's Provider: the machines' entries, the same for every product. What a
// product has of its own is where its quota is asked (quota_start, quota_resume).
template <class Provider>
class CodeAssistProvider : public CodeAssist {
 public:
  static constexpr bool kNeedsJson = true;
  static constexpr bool kNeedsCrypto = true;
  using Credential = Account;

  using CodeAssist::CodeAssist;
  gp::Status open_credential(const gp::CredentialText& text, std::unique_ptr<Credential>& out,
                             gp_credential_info& info) const {
    return open_account(text, out, info);
  }
  gp::Status classify(const gp::Failure& failure, gp::Verdict& verdict) const {
    return judge_failure(failure, verdict);
  }

  static gp::Status oauth_start(const gp::StepIn& in, gp_step& out) {
    return login_start(of(in), in, out);
  }
  static gp::Status oauth_callback(const gp::StepIn& in, gp_step& out) {
    return login_callback(of(in), in, out);
  }
  static gp::Status oauth_resume(const gp::StepIn& in, gp_step& out) {
    return account_resume(of(in), in, out);
  }
  static gp::Status refresh(const gp::StepIn& in, gp_step& out) {
    return refresh_account(of(in), in, out);
  }
  static gp::Status refresh_resume(const gp::StepIn& in, gp_step& out) {
    return account_resume(of(in), in, out);
  }

 protected:
  static const Provider& of(const gp::StepIn& in) {
    return *reinterpret_cast<const Provider*>(in.raw.provider);
  }
};

// An array of windows (model_window), those that are empty left out.
class WindowList {
 public:
  void add(std::string_view window);
  std::string_view str(const gp::Arena& arena) const;

 private:
  std::vector<std::string_view> parts_;
};

// One window of a model from the vendor's remainingFraction (0 to 1) and resetTime; empty if it
// tells neither.
std::string_view model_window(const gp::Arena& arena, std::string_view model, std::string_view name,
                              const gp::Json& told);

// The settings that the kinds share, for a settings schema; `base` and `agent` are the defaults.
#define GPROXY_GOOGLE_CODE_ASSIST_SETTINGS(base, agent)                                                                                                                                                     \
  R"("base_url":{"type":"string","title":"Base URL","default":")" base R"("},)"                                                                                                                             \
  R"("authorize_url":{"type":"string","title":"Authorisation page","default":"https://accounts.google.com/o/oauth2/v2/auth"},)"                                                                             \
  R"("token_url":{"type":"string","title":"Token endpoint","default":"https://oauth2.googleapis.com/token"},)"                                                                                              \
  R"("userinfo_url":{"type":"string","title":"Profile endpoint","default":"https://www.googleapis.com/oauth2/v1/userinfo"},)"                                                                               \
  R"("client_id":{"type":"string","title":"OAuth client id","description":"Of your own OAuth client; logins and refreshes need it."},)"                                                                     \
  R"("client_secret":{"type":"string","title":"OAuth client secret","format":"password"},)"                                                                                                                 \
  R"("client_identity":{"enum":["honest","vendor"],"title":"Client identity","default":"honest","description":"vendor sends the user agent of the vendor's own client. Check the vendor's terms first."},)" \
  R"("vendor_user_agent":{"type":"string","title":"User agent with vendor identity","default":")" agent                                                                                                     \
  R"("})"

inline constexpr std::string_view kAccountSchema =
    R"({"$schema":"http://json-schema.org/draft-04/schema#","type":"object",)"
    R"("anyOf":[{"required":["refresh_token"]},{"required":["access_token"]}],"properties":{)"
    R"("access_token":{"type":"string","title":"Access token","format":"password"},)"
    R"("refresh_token":{"type":"string","title":"Refresh token","format":"password"},)"
    R"("expires_at":{"type":"integer","title":"Expiry, UNIX seconds","minimum":0},)"
    R"("project_id":{"type":"string","title":"Project","maxLength":128},)"
    R"("client_id":{"type":"string"},"client_secret":{"type":"string","format":"password"},)"
    R"("user_email":{"type":"string","title":"E-mail","maxLength":200}}})";

inline constexpr gp_alias kAccountAliases[] = {
    {gp::str("accessToken"), gp::str("access_token")},
    {gp::str("refreshToken"), gp::str("refresh_token")},
    {gp::str("expiresAt"), gp::str("expires_at")},
    {gp::str("expiry_date"), gp::str("expires_at")},
    {gp::str("projectId"), gp::str("project_id")},
    {gp::str("clientId"), gp::str("client_id")},
    {gp::str("clientSecret"), gp::str("client_secret")},
    {gp::str("email"), gp::str("user_email")},
};

}  // namespace gproxy_google
