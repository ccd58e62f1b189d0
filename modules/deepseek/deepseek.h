// The kind `deepseek`: a DeepSeek API key. One instance is immutable after create and used by all
// loops.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/models.h"
#include "gproxy/api_key.hpp"
#include "gproxy/module.hpp"

namespace gproxy_deepseek {

extern const gp_kind kKind;

class Provider {
 public:
  static constexpr bool kNeedsJson = true;
  using Credential = gp::ApiKey;
  using LocalCall = gproxy_common::NoStream;

  static gp::Status create(const gp::Settings& settings, std::unique_ptr<Provider>& out);
  std::span<const gp_route> routes() const { return routes_; }
  gp::Status open_credential(const gp::CredentialText& text, std::unique_ptr<Credential>& out,
                             gp_credential_info& info) const;
  gp::Status prepare(const gp::Request& request, gp::Upstream& up) const;
  gp::Status respond(const gp::Request& request, gp::Local& out,
                     std::unique_ptr<LocalCall>& call) const;
  gp::Status count_plan(const gp::Request& request, gp::CountPlan& plan) const;
  gp::Status classify(const gp::Failure& failure, gp::Verdict& verdict) const;

 private:
  std::string chat_base_;    // "/chat/completions" and "/models" are appended
  std::string claude_base_;  // "/messages" is appended
  gproxy_common::ModelTable models_;
  std::vector<gp_route> routes_;
};

}  // namespace gproxy_deepseek
