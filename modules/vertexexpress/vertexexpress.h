// The kind `vertexexpress`: Vertex AI with an API key (express mode). One instance is immutable
// after create and used by all loops.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "common/google/model_table.h"
#include "gproxy/api_key.hpp"
#include "gproxy/module.hpp"

namespace gproxy_vertexexpress {

extern const gp_kind kKind;

class Provider {
 public:
  static constexpr bool kNeedsJson = true;
  using Credential = gp::ApiKey;
  using LocalCall = gproxy_google::NoStream;

  static gp::Status create(const gp::Settings& settings, std::unique_ptr<Provider>& out);
  std::span<const gp_route> routes() const;
  gp::Status open_credential(const gp::CredentialText& text, std::unique_ptr<Credential>& out,
                             gp_credential_info& info) const;
  gp::Status prepare(const gp::Request& request, gp::Upstream& up) const;
  gp::Status respond(const gp::Request& request, gp::Local& out, std::unique_ptr<LocalCall>&) const;
  gp::Status classify(const gp::Failure& failure, gp::Verdict& verdict) const;

 private:
  std::string base_url_;
  gproxy_google::ModelTable models_;
};

}  // namespace gproxy_vertexexpress
