// The kind `nvidia`: an NVIDIA API key at integrate.api.nvidia.com or at a NIM of one's own. One
// instance is immutable after create and used by all loops.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "gproxy/api_key.hpp"
#include "gproxy/module.hpp"

namespace gproxy_nvidia {

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
  gp::Status count_plan(const gp::Request& request, gp::CountPlan& plan) const;
  gp::Status classify(const gp::Failure& failure, gp::Verdict& verdict) const;

 private:
  std::string base_url_;
  std::string hf_url_, hf_token_;  // where tokenizers are fetched from
};

}  // namespace gproxy_nvidia
