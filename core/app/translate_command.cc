// gproxy translate: standard input in one protocol, standard output in another. Operators debug with it.
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "app/commands.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/strings.h"
#include "config/parse.h"
#include "translate/cli_request.h"
#include "translate/gemini_framing.h"
#include "translate/models.h"
#include "translate/response.h"

namespace gproxy::app {
namespace {

using translate::Protocol;

class RealIds final : public translate::IdSource {
 public:
  std::string next(std::string_view prefix) override {
    std::string id = uuid4();
    std::erase(id, '-');
    return std::string(prefix) + id.substr(0, 24);
  }
  int64_t now_s() const override { return Clock::system().wall_us() / 1'000'000; }
};

struct Arguments {
  Protocol from = Protocol::none, to = Protocol::none;
  std::string kind, model, request_file, query, config_file;
  std::vector<std::pair<std::string, std::string>> profile;
  int status = 200;
  bool status_given = false;
  bool losses = false;
};

int usage(const std::string& message) {
  std::fprintf(stderr, "gproxy translate: %s\n", message.c_str());
  std::fprintf(stderr,
               "usage: gproxy translate --from P --to Q --kind K [--model M] [--profile KEY=VALUE]... [--request FILE]\n"
               "                        [--status N] [--query Q] [--config FILE] [--losses]\n"
               "  P, Q: openai_chat openai_response claude gemini\n"
               "  K: request count response stream error count-response models\n");
  return kExitUsage;
}

bool read_all(std::FILE* file, std::string& out) {
  constexpr size_t kMax = size_t{256} << 20;
  char block[64 * 1024];
  size_t n = 0;
  while ((n = std::fread(block, 1, sizeof block, file)) > 0) {
    out.append(block, n);
    if (out.size() > kMax) return false;
  }
  return std::ferror(file) == 0;
}

// Empty on success, else what is wrong.
std::string parse(const std::vector<std::string>& words, Arguments& out) {
  for (size_t i = 0; i < words.size(); ++i) {
    std::string name = words[i];
    if (name == "--losses") { out.losses = true; continue; }
    std::string value;
    if (const size_t eq = name.find('='); name.starts_with("--") && eq != std::string::npos && name.substr(0, eq) != "--profile") {
      value = name.substr(eq + 1);
      name.resize(eq);
    } else if (eq != std::string::npos && name.starts_with("--profile=")) {
      value = name.substr(10);
      name = "--profile";
    } else if (i + 1 < words.size()) {
      value = words[++i];
    } else {
      return name + " needs a value";
    }
    if (name == "--from" || name == "--to") {
      const auto protocol = translate::parse_protocol(value);
      if (!protocol || *protocol == Protocol::openai) return "unknown protocol " + value;
      (name == "--from" ? out.from : out.to) = *protocol;
    } else if (name == "--kind") {
      out.kind = value;
    } else if (name == "--model") {
      out.model = value;
    } else if (name == "--request") {
      out.request_file = value;
    } else if (name == "--config") {
      out.config_file = value;
    } else if (name == "--query") {
      out.query = value;
    } else if (name == "--status") {
      const auto number = parse_int(value);
      if (!number || *number < 100 || *number > 599) return "--status must be 100 to 599";
      out.status = static_cast<int>(*number);
      out.status_given = true;
    } else if (name == "--profile") {
      const size_t eq = value.find('=');
      if (eq == std::string::npos) return "--profile takes KEY=VALUE";
      out.profile.emplace_back(value.substr(0, eq), value.substr(eq + 1));
    } else {
      return "unknown option " + name;
    }
  }
  if (out.from == Protocol::none) return "--from is missing";
  if (out.to == Protocol::none) return "--to is missing";
  for (auto kind : {"request", "count", "response", "stream", "error", "count-response", "models"}) {
    if (out.kind == kind) return {};
  }
  return out.kind.empty() ? "--kind is missing" : "unknown kind " + out.kind;
}

void print_losses(int status, const translate::LossLog& losses) {
  std::string out = "{\"status\":" + std::to_string(status) + "}\n";
  losses.write_json(out);
  if (!out.empty() && out.back() != '\n') out += '\n';
  std::fwrite(out.data(), 1, out.size(), stderr);
}

int finish(const Arguments& a, int status, const std::string& body, const translate::LossLog& losses, int exit_code) {
  std::fwrite(body.data(), 1, body.size(), stdout);
  std::fflush(stdout);
  if (a.losses) print_losses(status, losses);
  return exit_code;
}

// In what light the answer is read: the client's request where it was given, else a plain one.
Result<translate::RequestContext> context_of(const Arguments& a, const translate::ProfileSet& rules, const translate::Options& options) {
  std::string request;
  if (!a.request_file.empty()) {
    std::FILE* file = std::fopen(a.request_file.c_str(), "rbe");
    if (file == nullptr) return Error{ErrorKind::invalid, "usage", "cannot read " + a.request_file};
    const bool good = read_all(file, request);
    std::fclose(file);
    if (!good) return Error{ErrorKind::invalid, "usage", "cannot read " + a.request_file};
  }
  const std::string model = a.model.empty() ? translate::body_model(request) : a.model;
  GP_TRY(auto profile, translate::cli_profile(rules, model, a.from, a.profile));
  // --from is the upstream here, --to the client.
  if (!request.empty()) return translate::cli_context(a.to, a.from, request, model, a.query, profile, options);
  translate::RequestContext context;
  context.client = a.to;
  context.upstream = a.from;
  context.requested_model = model;
  context.include_usage = true;
  context.thinking_enabled = true;
  context.include_thoughts = true;
  if (!a.query.empty()) context.framing = translate::gemini_framing(a.query);
  return context;
}

}  // namespace

int run_translate(const Options& options) {
  Arguments a;
  if (const std::string wrong = parse(options.arguments, a); !wrong.empty()) return usage(wrong);
  std::string input;
  if (!read_all(stdin, input)) {
    std::fprintf(stderr, "gproxy translate: cannot read standard input, or it is over 256 MiB\n");
    return kExitIo;
  }
  // What the operator says about models, as the gateway would read it.
  translate::Options translation;
  auto rules = translate::ProfileSet::builtin();
  if (!a.config_file.empty()) {
    auto file = config::load_config(a.config_file, {});
    if (!file.ok()) {
      std::fprintf(stderr, "gproxy translate: %s\n", file.error().message.c_str());
      return kExitConfig;
    }
    const auto& settings = file->settings.translation;
    translation.lossless = settings.lossless;
    if (!settings.model_profiles.json.empty()) {
      auto own = translate::ProfileSet::parse_rules(settings.model_profiles.json);
      if (!own.ok()) return usage(own.error().message);
      rules.append(*own);
    }
  }
  if (a.kind == "request" || a.kind == "count") {
    translate::CliRequest request;
    request.options = translation;
    request.rules = &rules;
    request.from = a.from;
    request.to = a.to;
    request.count = a.kind == "count";
    request.body = input;
    request.model = a.model;
    request.query = a.query;
    request.profile = a.profile;
    const auto answer = translate::run_request(request);
    if (answer.exit_code == kExitUsage) return usage(answer.message);
    return finish(a, answer.status, answer.out, answer.losses, answer.exit_code);
  }
  auto context = context_of(a, rules, translation);
  if (!context.ok()) return usage(context.error().message);
  RealIds ids;
  translate::TranslatedAnswer answer;
  // What was asked for here counts, whatever the client's request said: a whole answer, or a stream in
  // Gemini's usual framing unless the query names another.
  context->stream = a.kind == "stream";
  context->operation = translate::Operation::generate;
  if (a.query.empty()) context->framing = translate::GeminiFraming::sse;
  if (a.kind == "response") {
    answer = translate::translate_response(*context, a.status, input, translation, ids);
  } else if (a.kind == "stream") {
    answer = translate::translate_stream(*context, a.status, input, translation, ids);
  } else if (a.kind == "error") {
    answer = translate::translate_error(*context, a.status_given ? a.status : 500, input);
  } else if (a.kind == "count-response") {
    answer = translate::translate_count_response(*context, a.status, input);
  } else {
    answer = translate::translate_models(a.to, a.from, a.status, input, a.query);
  }
  // An error that was translated as asked is a success of the command; one that was not there before is not.
  const bool error_asked = a.kind == "error" || a.status >= 400;
  return finish(a, answer.status, answer.body, answer.losses, answer.failed && !error_asked ? kExitFailure : kExitOk);
}

}  // namespace gproxy::app
