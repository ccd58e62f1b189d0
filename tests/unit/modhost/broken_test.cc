// Every module of tests/abi/broken: refused, or contained with an error that names the module.
#include <doctest/doctest.h>

#include <filesystem>
#include <map>

#include "base/log.h"
#include "modhost/local_answer.h"
#include "modhost/registry.h"
#include "modhost/step_machine.h"
#include "temp_folder.h"

using namespace gproxy;
using namespace gproxy::modhost;
using test::built;

namespace {

enum class Ends { load, create, credential, prepare, head, data, local, steps, verdict, sound };

struct Expected {
  Ends ends;
  std::string_view words;  // in the message
};

const std::map<std::string, Expected> kExpected = {
    {"no_entry", {Ends::load, "gproxy_entry_1"}},
    {"entry_null", {Ends::load, "returned no table"}},
    {"wrong_major", {Ends::load, "this gproxy speaks"}},
    {"next_major", {Ends::load, "made for module ABI 2 alone"}},
    {"newer_minor", {Ends::sound, ""}},
    {"short_entry", {Ends::load, "entry table"}},
    {"short_table", {Ends::load, "provider table"}},
    {"null_hook", {Ends::load, "is null"}},
    {"null_release", {Ends::load, "release is null"}},
    {"no_kinds", {Ends::load, "0 kinds"}},
    {"kind_count", {Ends::load, "kinds"}},
    {"kind_name", {Ends::load, "[a-z0-9-]"}},
    {"oversize_string", {Ends::load, "not a text"}},
    {"bad_schema", {Ends::load, "settings_schema"}},
    {"init_fails", {Ends::load, "init failed"}},
    {"bad_route", {Ends::create, "unknown number"}},
    {"duplicate_route", {Ends::create, "twice"}},
    {"translate_nowhere", {Ends::create, "neither native nor local"}},
    {"translate_chain", {Ends::create, "neither native nor local"}},
    {"local_without_extension", {Ends::create, "gproxy.local/1"}},
    {"route_count", {Ends::create, "rows"}},
    {"null_routes", {Ends::create, "rows"}},
    {"create_internal", {Ends::create, "create"}},
    {"create_unknown", {Ends::create, "create"}},
    {"credential_nonsense", {Ends::credential, "identity"}},
    {"splice_overlap", {Ends::prepare, "overlaps"}},
    {"splice_order", {Ends::prepare, "splice"}},
    {"splice_out_of_range", {Ends::prepare, "past the body's end"}},
    {"splice_count", {Ends::prepare, "splices"}},
    {"body_and_splices", {Ends::prepare, "both set"}},
    {"header_crlf", {Ends::prepare, "control character"}},
    {"header_name", {Ends::prepare, "not a token"}},
    {"header_nul", {Ends::prepare, "control character"}},
    {"header_framing", {Ends::prepare, "the host's to set"}},
    {"header_count", {Ends::prepare, "headers"}},
    {"url_relative", {Ends::prepare, "url"}},
    {"url_file", {Ends::prepare, "url"}},
    {"url_crlf", {Ends::prepare, "url"}},
    {"url_oversize", {Ends::prepare, "url"}},
    {"prepare_internal", {Ends::prepare, "failed"}},
    {"prepare_sizes", {Ends::prepare, "bytes"}},
    {"buffer_without_body", {Ends::prepare, "body"}},
    {"counts_calls", {Ends::sound, ""}},
    {"head_crlf", {Ends::head, "control character"}},
    {"head_status", {Ends::head, "status"}},
    {"data_internal", {Ends::data, "failed"}},
    {"sink_ignored", {Ends::data, "after the sink had refused"}},
    {"data_amplifies", {Ends::data, "far more than it was given"}},
    {"verdict_nonsense", {Ends::verdict, ""}},
    {"verdict_forever", {Ends::verdict, ""}},
    {"local_endless", {Ends::local, "empty pieces"}},
    {"local_no_call", {Ends::local, "*call is not"}},
    {"local_huge_piece", {Ends::local, "piece"}},
    {"local_delay", {Ends::local, "delay"}},
    {"local_status", {Ends::local, "status"}},
    {"local_body", {Ends::local, "body"}},
    {"endless_steps", {Ends::steps, "more than 32 steps"}},
    {"endless_waits", {Ends::steps, ""}},
    {"step_unknown", {Ends::steps, ""}},
    {"step_flow", {Ends::steps, "flow"}},
    {"step_fetch", {Ends::steps, "FETCH"}},
    {"step_done_empty", {Ends::steps, "without credential_json"}},
    {"step_internal", {Ends::steps, "failed"}},
};

constexpr const char* kSecret = R"({"Broken":{}})";

struct Refusing final : DataSink {
  size_t take;
  size_t got = 0;
  explicit Refusing(size_t t) : take(t) {}
  Result<void> on_module_data(std::string_view bytes) override {
    if (got + bytes.size() > take)
      return Error{ErrorKind::cancelled, "client_gone", "the client is gone", {}};
    got += bytes.size();
    return ok();
  }
};

// Runs a module as far as it goes; the error that ended it, and where.
struct Run {
  Ends ended = Ends::sound;
  Error error;
  Arena arena;
  std::string body = R"({"model":"m","messages":[]})";

  CallRequest request(const OpenCredential* credential) {
    CallRequest r;
    r.protocol = r.client_protocol = translate::Protocol::openai_chat;
    r.operation = translate::Operation::stream_generate;
    r.method = "POST";
    r.path = "/v1/chat/completions";
    r.model = "m";
    r.body = body;
    r.credential = credential;
    r.arena = &arena;
    return r;
  }

  void end(Ends where, Error why) {
    ended = where;
    error = std::move(why);
  }

  void steps(const std::shared_ptr<const Provider>& provider, const CredentialHandle& credential) {
    auto machine = StepMachine::refresh(provider, credential, Secret(kSecret), 0);
    if (!machine.ok()) return;
    StepReply reply{FailureKind::status, 200, {}, "{}"};
    for (int i = 0; i < 100; ++i) {
      Arena step_arena;
      auto step = machine->next(step_arena, i == 0 ? nullptr : &reply);
      if (!step.ok()) return end(Ends::steps, step.error());
      if (step->kind == StepKind::fail) return end(Ends::steps, internal_error(step->message));
      if (machine->finished()) return;
    }
    end(Ends::steps, internal_error("still running after a hundred steps"));
  }

  void local(const Provider& provider) {
    auto answer = LocalAnswer::respond(provider, request(nullptr));
    if (!answer.ok()) return end(Ends::local, answer.error());
    for (int i = 0; answer->streamed() && i < 1000; ++i) {
      auto piece = answer->next();
      if (!piece.ok()) return end(Ends::local, piece.error());
      if (piece->last) return;
    }
  }

  void hooks(Call& call) {
    if (call.has_head()) {
      auto head = call.head({200, {}, {}});
      if (!head.ok()) return end(Ends::head, head.error());
    }
    if (call.has_data()) {
      Refusing wide(size_t{1} << 30), narrow(0);
      auto data = call.data(std::string(64, 'a'), Last::no, wide);
      if (!data.ok()) return end(Ends::data, data.error());
      data = call.data("abc", Last::no, narrow);
      if (!data.ok() && data.error().code != "client_gone") return end(Ends::data, data.error());
    }
    if (call.has_classify()) {
      Failure failure;
      failure.status = 429;
      failure.model = "m";
      failure.wall_ms = 1'767'225'600'000;
      auto verdict = call.classify(failure);
      CHECK(verdict.cool_down_ms <= CoolDownLimits{}.max_ms);
      CHECK(verdict.cool_down_ms >= 0);
      ended = Ends::verdict;
    }
  }

  void run(const std::string& path) {
    auto reaper = std::make_shared<Reaper>();
    auto module = Module::load(path, 1, reaper);
    if (!module.ok()) return end(Ends::load, module.error());
    use(*module);
    *module = nullptr;
    reaper->close();
  }

  void use(const std::shared_ptr<const Module>& module) {
    auto provider = Provider::create(module, {"p", module->info().kinds[0].name, "{}"});
    if (!provider.ok()) return end(Ends::create, provider.error());
    auto credential = (*provider)->open_credential(kSecret);
    if (!credential.ok()) return end(Ends::credential, credential.error());
    if (module->extensions().credential != nullptr) return steps(*provider, *credential);
    auto route =
        (*provider)->route(translate::Protocol::openai_chat, translate::Operation::stream_generate);
    if (route.mode == RouteMode::local) return local(**provider);
    auto call = (*provider)->prepare(request(credential->get()));
    if (!call.ok()) return end(Ends::prepare, call.error());
    hooks(*call);
  }
};

}  // namespace

TEST_CASE("every broken module is refused or contained, and the message names module and rule") {
  std::filesystem::path folder(built("broken"));
  REQUIRE(std::filesystem::is_directory(folder));
  size_t seen = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    auto name = file.path().stem().string();
    CAPTURE(name);
    auto expected = kExpected.find(name);
    CHECK_MESSAGE(expected != kExpected.end(), "no expectation for this module");
    if (expected == kExpected.end()) continue;
    ++seen;
    Run run;
    run.run(file.path().string());
    CAPTURE(run.error.message);
    CHECK(static_cast<int>(run.ended) == static_cast<int>(expected->second.ends));
    CHECK(run.error.message.find(expected->second.words) != std::string::npos);
    if (run.error.code == "module_error") CHECK(run.error.message.find("module ") == 0);
    if (run.error.code == "module_error") CHECK(run.error.http() == 502);
  }
  CHECK(seen == kExpected.size());
}

TEST_CASE("each call that prepare made is released, whatever came between") {
  static int prepared, released;
  prepared = released = 0;
  log::set_sink(
      [](std::string_view line, void*) {
        prepared += line.find("prepared") != line.npos;
        released += line.find("released") != line.npos;
      },
      nullptr);
  Run run;
  run.run(built("broken/counts_calls.so"));
  log::set_sink(nullptr, nullptr);
  CHECK(prepared == 1);
  CHECK(released == 1);
}
