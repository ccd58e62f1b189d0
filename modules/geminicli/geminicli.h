// The kind `geminicli`: Gemini Code Assist with a person's Google account. One instance is
// immutable after create and used by all loops.
#pragma once

#include <memory>
#include <span>

#include "common/google/code_assist.h"
#include "common/google/envelope.h"
#include "common/google/model_table.h"
#include "gproxy/module.hpp"

namespace gproxy_geminicli {

extern const gp_kind kKind;
extern const gproxy_google::Product kProduct;

class Provider : public gproxy_google::CodeAssistProvider<Provider> {
 public:
  using Call = gproxy_google::Envelope;
  using LocalCall = gproxy_google::NoStream;

  Provider() : CodeAssistProvider(kProduct) {}
  static gp::Status create(const gp::Settings& settings, std::unique_ptr<Provider>& out);
  std::span<const gp_route> routes() const;
  gp::Status prepare(const gp::Request& request, gp::Upstream& up,
                     std::unique_ptr<Call>& call) const;
  gp::Status respond(const gp::Request& request, gp::Local& out, std::unique_ptr<LocalCall>&) const;

  static gp::Status quota_start(const gp::StepIn& in, gp_step& out);
  static gp::Status quota_resume(const gp::StepIn& in, gp_step& out);

 private:
  gproxy_google::ModelTable models_;
};

}  // namespace gproxy_geminicli
