// The kind `custom`: an upstream that the operator describes in the settings. One instance is
// immutable after create and used by all loops.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "address.h"
#include "common/models.h"
#include "dispatch.h"
#include "gproxy/api_key.hpp"
#include "gproxy/module.hpp"
#include "mask.h"

namespace gproxy_custom {

extern const gp_kind kKind;

// Who counts tokens: the upstream, or gproxy with an encoding, a tokenizer.json, or by estimate.
enum class CountWith : uint8_t { upstream, encoding, file, url, estimate };

// A relative path of plain segments.
bool is_inner_path(std::string_view path);

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
  void limits(const gp::LimitsIn& in, gp::Limits& out) const;

 private:
  gp::Status read_settings(const gp::Settings& settings);
  gp::Status read_models(const gp::Json& json, const gp::Arena& arena);
  gp::Status read_count(const gp::Json& json);
  gp::Status read_mask(const gp::Json& json, const gp::Arena& arena);
  gp::Status read_extras(const gp::Json& json, const gp::Arena& arena);

  Bases bases_;
  std::vector<gp_route> routes_;
  gproxy_common::ModelTable models_;  // empty: the upstream is asked
  CountWith count_with_ = CountWith::upstream;
  std::string tokenizer_;  // encoding, path or address
  std::string tokenizer_token_;
  Mask mask_;
  std::vector<std::pair<std::string, std::string>> extra_headers_;
  std::string extra_query_;  // encoded
};

}  // namespace gproxy_custom
