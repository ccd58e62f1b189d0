// The kind `antigravity`: Antigravity with a person's Google account. One instance is immutable
// after create and used by all loops.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/google/code_assist.h"
#include "common/google/envelope.h"
#include "common/google/model_table.h"
#include "gproxy/module.hpp"

namespace gproxy_antigravity {

extern const gp_kind kKind;
extern const gproxy_google::Product kProduct;

// One attempt: an answer in its envelope, or the vendor's models in the shape of the Gemini API.
class Call : public gproxy_google::Envelope {
 public:
  enum class What { generation, list, get };
  Call(const gp_json_ext* json, gproxy_google::Framing framing, What what, std::string_view model)
      : Envelope(json, framing, gproxy_google::Repair::missing_parts),
        json_(json),
        what_(what),
        model_(model) {}

  gp::Status body(const gp_reply& whole, gp_reply& out, const gp::Arena& arena) const;

 private:
  const gp_json_ext* json_;
  What what_;
  std::string model_;  // of a get
};

class Provider : public gproxy_google::CodeAssistProvider<Provider> {
 public:
  using Call = gproxy_antigravity::Call;
  using LocalCall = gproxy_google::NoStream;

  Provider() : CodeAssistProvider(kProduct) {}
  static gp::Status create(const gp::Settings& settings, std::unique_ptr<Provider>& out);
  std::span<const gp_route> routes() const { return routes_; }
  gp::Status prepare(const gp::Request& request, gp::Upstream& up,
                     std::unique_ptr<Call>& call) const;
  // Estimates a count.
  gp::Status respond(const gp::Request& request, gp::Local& out, std::unique_ptr<LocalCall>&) const;

  static gp::Status quota_start(const gp::StepIn& in, gp_step& out);
  static gp::Status quota_resume(const gp::StepIn& in, gp_step& out);

 private:
  std::vector<gp_route> routes_;
};

}  // namespace gproxy_antigravity
