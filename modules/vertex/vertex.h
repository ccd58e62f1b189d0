// The kind `vertex`: Vertex AI with a service account. One instance is immutable after create and
// used by all loops.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "gproxy/module.hpp"

namespace gproxy_vertex {

extern const gp_kind kKind;

// A service account's key file, and the token that was got for it. Immutable; wiped when closed.
struct Account {
  std::string project_id;
  std::string base_url;  // of the provider's location, or what the settings say
  std::string bearer;    // "Bearer <token>"; empty: no token yet
  int64_t expires_at_ms = 0;
  std::string email, identity;

  ~Account() { gp::wipe(bearer); }
};

// What an answer still needs: lists of models come in the vendor's own shape.
class Call {
 public:
  Call(const gp_json_ext* json, bool list) : json_(json), list_(list) {}
  gp::Status body(const gp_reply& whole, gp_reply& out, const gp::Arena& arena) const;

 private:
  const gp_json_ext* json_;
  bool list_;
};

class Provider {
 public:
  static constexpr bool kNeedsJson = true;
  static constexpr bool kNeedsCrypto = true;
  using Credential = Account;
  using Call = gproxy_vertex::Call;

  static gp::Status create(const gp::Settings& settings, std::unique_ptr<Provider>& out);
  std::span<const gp_route> routes() const;
  gp::Status open_credential(const gp::CredentialText& text, std::unique_ptr<Credential>& out,
                             gp_credential_info& info) const;
  gp::Status prepare(const gp::Request& request, gp::Upstream& up,
                     std::unique_ptr<Call>& call) const;
  gp::Status classify(const gp::Failure& failure, gp::Verdict& verdict) const;

  // The JWT grant (RFC 7523): signs on the thread pool, asks the token endpoint, stores the token.
  static gp::Status refresh(const gp::StepIn& in, gp_step& out);
  static gp::Status refresh_resume(const gp::StepIn& in, gp_step& out);

 private:
  std::string endpoint_of(std::string_view universe) const;
  std::string_view token_endpoint(std::string_view of_key) const;

  std::string base_url_;  // empty: derived from the location and the account's universe
  std::string location_;
  std::string token_url_;  // of the settings; empty: the key file's
};

}  // namespace gproxy_vertex
