// The museum: modules built from the headers of versions gone by, in today's host. Those of 1.x
// must do today what they did then; those from before the freeze are refused in words.
#include <doctest/doctest.h>

#include "modhost/call.h"
#include "modhost/count_plan.h"
#include "modhost/limits_hook.h"
#include "modhost/local_answer.h"
#include "modhost/module.h"
#include "modhost/step_machine.h"
#include "modhost/usage_hook.h"
#include "stub_module.h"
#include "temp_folder.h"

using namespace gproxy;
using namespace gproxy::modhost;
using test::built;
using translate::Operation;
using translate::Protocol;

namespace {

bool has(std::string_view text, std::string_view word) {
  return text.find(word) != text.npos;
}

struct Collect final : DataSink {
  std::string all;
  Result<void> on_module_data(std::string_view bytes) override {
    all += bytes;
    return ok();
  }
};

constexpr const char* kSecret = R"({"Every":{"api_key":"k"}})";

// The module that has every hook of 1.0.
struct Every {
  std::shared_ptr<Reaper> reaper = std::make_shared<Reaper>();
  std::shared_ptr<const Module> module;
  std::shared_ptr<const Provider> provider;
  CredentialHandle credential;
  test::ARequest asked;

  Every() {
    auto loaded = Module::load(built("frozen/every_v1_0.so"), 1, reaper);
    REQUIRE_MESSAGE(loaded.ok(), loaded.error().message);
    module = *loaded;
    auto made = Provider::create(module, {"p", "every", R"({"base_url":"https://h"})"});
    REQUIRE_MESSAGE(made.ok(), made.error().message);
    provider = *made;
    auto opened = provider->open_credential(kSecret);
    REQUIRE_MESSAGE(opened.ok(), opened.error().message);
    credential = *opened;
  }
  ~Every() {
    credential.reset();
    CHECK(provider->breaches() == 0);
    provider.reset();
    module.reset();
    reaper->close();
  }
  CallRequest request(Operation operation) {
    auto r = asked.request();
    r.operation = operation;
    r.model = "m";
    r.credential = credential.get();
    static const FieldSpan kSpans[] = {{0, 5, 0, 27}, {1, 3, 9, 3}};  // the root, the model
    REQUIRE(r.body.substr(9, 3) == R"("m")");
    REQUIRE(r.body.size() == 27);
    r.spans = kSpans;
    return r;
  }
  Step fetched(StepMachine& machine, int status, std::string_view body) {
    Arena arena;
    auto first = machine.next(arena, nullptr);
    REQUIRE_MESSAGE(first.ok(), first.error().message);
    REQUIRE(first->kind == StepKind::fetch);
    CHECK(first->fetch.url == "https://h/token");
    Arena next;
    const StepReply reply{FailureKind::status, status, {}, body};
    auto last = machine.next(next, &reply);
    REQUIRE_MESSAGE(last.ok(), last.error().message);
    return std::move(*last);
  }
};

}  // namespace

TEST_CASE("a module of before the freeze is refused, and is told both versions") {
  auto old = Module::load(built("frozen/echo_v0_1.so"), 1, std::make_shared<Reaper>());
  REQUIRE_FALSE(old.ok());
  CHECK(has(old.error().message, "made for module ABI 0.1"));
  CHECK(has(old.error().message, "this gproxy speaks 1."));
  CHECK(has(old.error().message, "build it anew"));
}

TEST_CASE("the echo of 1.0 loads and answers") {
  auto reaper = std::make_shared<Reaper>();
  {
    auto module = Module::load(built("frozen/echo_v1_0.so"), 1, reaper);
    REQUIRE_MESSAGE(module.ok(), module.error().message);
    CHECK((*module)->info().abi_major == 1);
    CHECK((*module)->info().abi_minor == 0);
    auto provider = Provider::create(*module, {"p", "echo-c", "{}"});
    REQUIRE_MESSAGE(provider.ok(), provider.error().message);
    test::ARequest asked;
    auto request = asked.request();
    auto answer = LocalAnswer::respond(**provider, request);
    REQUIRE_MESSAGE(answer.ok(), answer.error().message);
    CHECK(answer->reply().status == 200);
  }
  reaper->close();
}

TEST_CASE_FIXTURE(Every, "1.0: a request, its splices, headers and times") {
  auto call = provider->prepare(request(Operation::stream_generate));
  REQUIRE_MESSAGE(call.ok(), call.error().message);
  const auto& up = call->upstream();
  CHECK(up.method == "POST");
  CHECK(up.url == "https://h/chat");
  CHECK(up.secret_query == "key=secret");
  CHECK(http::find(up.headers, "authorization") == "Bearer k");
  CHECK(up.connect_ms == 1000);
  CHECK(up.first_byte_ms == 2000);
  CHECK(up.idle_ms == 3000);
  CHECK(up.total_ms == 4000);
  std::string body;
  for (const auto& piece : up.body) body += piece;
  CHECK(has(body, R"("m-every")"));

  const http::HeaderView headers[] = {{"content-type", "text/event-stream"}};
  auto head = call->head({200, headers, {}});
  REQUIRE(head.ok());
  CHECK(http::find(head->headers, "x-every") == "1");
  Collect sink;
  REQUIRE(call->data("data: 1\n\n", Last::no, sink).ok());
  REQUIRE(call->data({}, Last::yes, sink).ok());
  CHECK(sink.all == "data: 1\n\n: end\n");
}

TEST_CASE_FIXTURE(Every, "1.0: a whole answer, and a verdict") {
  auto call = provider->prepare(request(Operation::generate));
  REQUIRE_MESSAGE(call.ok(), call.error().message);
  CHECK(call->upstream().buffer);
  CHECK(call->upstream().http1);
  auto whole = call->body({200, {}, "{}"});
  REQUIRE(whole.ok());
  CHECK(whole->status == 201);
  CHECK(whole->body == "[{}]");

  Failure failure;
  failure.status = 429;
  failure.model = "m";
  failure.wall_ms = Clock::system().wall_ms();
  const auto verdict = call->classify(failure);
  CHECK(verdict.action == Action::cool_down);
  CHECK(verdict.scope == Scope::model);
  CHECK(verdict.reason == "every");
  CHECK(verdict.cool_down_ms > 50'000);
  failure.kind = FailureKind::reset;
  CHECK(call->classify(failure).action == Action::next);  // the host's own rule
}

TEST_CASE_FIXTURE(Every, "1.0: a credential, and its renewal by steps") {
  CHECK(credential->identity() == "account-1");
  CHECK(credential->refreshable());
  auto machine = StepMachine::refresh(provider, credential, Secret(kSecret), 0);
  REQUIRE(machine.ok());
  const auto done = fetched(*machine, 200, "{}");
  CHECK(done.kind == StepKind::done);
  CHECK(done.credential_json.reveal() == R"({"Every":{"api_key":"new"}})");
  CHECK(done.name == "a name");
  auto refused = StepMachine::refresh(provider, credential, Secret(kSecret), 0);
  REQUIRE(refused.ok());
  const auto fail = fetched(*refused, 400, "{}");
  CHECK(fail.kind == StepKind::fail);
  CHECK(fail.definitive);
  CHECK(fail.code == "refused");
}

TEST_CASE_FIXTURE(Every, "1.0: a login and a quota by steps") {
  FlowRequest person;
  person.state = "s";
  person.redirect_uri = "https://me/p/oauth/callback";
  auto start = StepMachine::oauth_start(provider, person);
  REQUIRE(start.ok());
  Arena arena;
  auto shown = start->next(arena, nullptr);
  REQUIRE(shown.ok());
  CHECK(shown->kind == StepKind::reply);
  CHECK(shown->keep_flow);
  CHECK(has(shown->reply_json, "challenge"));
  CHECK(start->flow() == "to:https://me/p/oauth/callback");
  auto callback = StepMachine::oauth_callback(provider, person, start->flow());
  REQUIRE(callback.ok());
  CHECK(fetched(*callback, 200, R"({"email":"e"})").identity == "account-1");
  auto quota = StepMachine::quota(provider, credential, Secret(kSecret));
  REQUIRE(quota.ok());
  CHECK(has(fetched(*quota, 200, "{}").windows_json, "requests"));
}

TEST_CASE_FIXTURE(Every, "1.0: local answers, counts, usage and limits") {
  auto list = request(Operation::model_list);
  list.protocol = list.client_protocol = Protocol::openai;
  list.credential = nullptr;
  auto answer = LocalAnswer::respond(*provider, list);
  REQUIRE_MESSAGE(answer.ok(), answer.error().message);
  REQUIRE(answer->streamed());
  std::string all;
  for (bool last = false; !last;) {
    auto piece = answer->next();
    REQUIRE(piece.ok());
    all += piece->bytes;
    last = piece->last;
  }
  CHECK(all == R"({"object":"list","data":[]})");

  auto count = request(Operation::count_tokens);
  count.protocol = count.client_protocol = Protocol::openai;
  auto plan = CountPlan::ask(*provider, count);
  REQUIRE(plan.ok());
  CHECK(plan->name == "o200k_base");

  ModuleUsage usage;
  REQUIRE(has_usage_hook(*provider));
  CHECK(*extract_usage(*provider, Protocol::openai_chat, "1234", usage));
  CHECK(usage.input_tokens == 4);

  REQUIRE(provider->reads_limits());
  const http::HeaderView headers[] = {{"x-left", "25"}};
  LimitList room;
  const auto windows = read_limits(*provider,
                                   {.status = 200,
                                    .protocol = Protocol::openai_chat,
                                    .operation = Operation::generate,
                                    .wall_ms = 5,
                                    .model = "m",
                                    .headers = headers,
                                    .credential = credential.get()},
                                   room);
  REQUIRE(windows.size() == 1);
  CHECK(windows[0].name == "x-left");
  CHECK(windows[0].remaining == 25);
  CHECK(windows[0].resets_at_ms == 1005);
  CHECK(windows[0].rest);
}
