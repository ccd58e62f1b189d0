// The kind `claude`: an Anthropic API key at api.anthropic.com or a compatible address. One
// instance is immutable after create and used by all loops.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "gproxy/api_key.hpp"
#include "gproxy/module.hpp"

namespace gproxy_claude {

extern const gp_kind kKind;

class Provider {
 public:
  static constexpr bool kNeedsJson = true;
  using Credential = gp::ApiKey;

  static gp::Status create(const gp::Settings& settings, std::unique_ptr<Provider>& out);
  std::span<const gp_route> routes() const;
  gp::Status open_credential(const gp::CredentialText& text, std::unique_ptr<Credential>& out,
                             gp_credential_info& info) const;
  gp::Status prepare(const gp::Request& request, gp::Upstream& up) const;
  gp::Status classify(const gp::Failure& failure, gp::Verdict& verdict) const;
  void limits(const gp::LimitsIn& in, gp::Limits& out) const;

 private:
  std::string base_url_;
};

}  // namespace gproxy_claude
