// What GPROXY_MODULE makes of a class: null hooks where there is none, a wall against exceptions,
// calls that are released once.
#include <doctest/doctest.h>

#include <stdexcept>

#include "gproxy/module.hpp"
#include "testing/fake_host.h"

using namespace gp::testing;

namespace {

int g_calls = 0;

// Does something else wrong or right by the model's name.
class Odd {
 public:
  class Call {
   public:
    Call() { ++g_calls; }
    ~Call() { --g_calls; }
    gp::Status head(const gp_head&, gp_head& out) {
      out.status = 201;
      return gp::ok();
    }
    // Upper case, held back until a line is whole.
    gp::Status data(std::string_view in, bool last, const gp::Sink& sink) {
      held_ += in;
      size_t line;
      while ((line = held_.find('\n')) != std::string::npos) {
        if (auto status = sink.write(held_.substr(0, line + 1)); !status.ok()) return status;
        held_.erase(0, line + 1);
      }
      return last && !held_.empty() ? sink.write(held_) : gp::ok();
    }
    gp::Status body(const gp_reply& in, gp_reply& out, const gp::Arena& arena) {
      out.body = gp::str(arena.concat({"<", gp::view(in.body), ">"}));
      out.status = 203;
      return gp::ok();
    }

   private:
    std::string held_;
  };

  static gp::Status create(const gp::Settings& settings, std::unique_ptr<Odd>& out) {
    if (settings.text == "throw") throw std::runtime_error("secret");
    out = std::make_unique<Odd>();
    return gp::ok();
  }
  std::span<const gp_route> routes() const {
    static constexpr gp_route kRoutes[] = {
        {GP_PROTOCOL_OPENAI_CHAT, GP_OP_GENERATE, GP_ROUTE_NATIVE, 0}};
    return kRoutes;
  }
  gp::Status prepare(const gp::Request& request, gp::Upstream& up,
                     std::unique_ptr<Call>& call) const;
};

constexpr gp_str kForward[] = {gp::str("x-one"), gp::str("x-many-*")};
constexpr gp_kind make_kind() {
  gp_kind kind = gp::stamped<gp_kind>();
  kind.flags = GP_KIND_USER_CREATED;
  kind.name = gp::str("odd");
  kind.title = gp::str("Odd");
  kind.forward_headers = kForward;
  kind.forward_header_count = 2;
  return kind;
}
constexpr gp_kind kKind = make_kind();
constexpr const gp_kind* kKinds[] = {&kKind};
constexpr gp_info make_info() {
  gp_info info = gp::stamped<gp_info>();
  info.id = gp::str("test.odd");
  info.name = gp::str("Odd");
  info.version = gp::str("1");
  info.licence = gp::str("MIT");
  info.kinds = kKinds;
  info.kind_count = 1;
  return info;
}
constexpr gp_info kInfo = make_info();

gp::Status Odd::prepare(const gp::Request& request, gp::Upstream& up,
                        std::unique_ptr<Call>& call) const {
  call = std::make_unique<Call>();
  up.url("http://h/x");
  up.forward(kKind);
  if (request.model() == "throw") throw std::runtime_error("secret");
  if (request.model() == "memory") request.arena().bytes(size_t{1} << 40);
  if (request.model() == "refuse") return gp::invalid("no", "model");
  if (request.model() == "expired") return gp::credential_expired(1001);
  if (request.model() == "long") up.url(request.arena().copy("http://h/" + std::string(9000, 'a')));
  if (request.model() == "both") {
    up.body("{}");
    up.edit().replace(0, 0, " ");
  }
  if (request.model() == "whole") up.flag(GP_UPSTREAM_BUFFER);
  return gp::ok();
}

const gp_entry* entry() {
  static constexpr gp_provider_vt kTable = gp::detail::Entry<Odd>::table();
  static constexpr gp_entry kEntry = gp::detail::Entry<Odd>::entry(&kInfo, &kTable);
  return &kEntry;
}

struct Fixture {
  FakeHost host;
  Module module{host, entry()};
  std::unique_ptr<Instance> provider = module.create("odd", "{}");
  ~Fixture() {
    CHECK(host.breaches() == std::vector<std::string>{});
    CHECK(g_calls == 0);
  }
  Sent send(std::string model, Headers headers = {}) {
    return provider->prepare(
        {.model = std::move(model), .body = "{}", .headers = std::move(headers)});
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "hooks that the class lacks are null") {
  CHECK((entry()->provider->credential_open == nullptr));
  CHECK((entry()->provider->classify == nullptr));
  CHECK((entry()->provider->head != nullptr));
  CHECK(module.extension("gproxy.local/1") == nullptr);
}

TEST_CASE_FIXTURE(Fixture, "an exception ends at the module's wall and says nothing") {
  const Sent sent = send("throw");
  CHECK(sent.status == GP_ERR_INTERNAL);
  CHECK(sent.message.find("secret") == std::string::npos);
  std::string message;
  CHECK(module.create("odd", "throw", &message) == nullptr);
  CHECK(message.find("secret") == std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "an exhausted arena is its own failure") {
  CHECK(send("memory").status == GP_ERR_NO_MEMORY);
}

TEST_CASE_FIXTURE(Fixture, "refusals carry their field and their cause") {
  CHECK(send("refuse").param == "model");
  const Sent sent = send("expired");
  CHECK(sent.status == GP_ERR_CREDENTIAL_EXPIRED);
  CHECK(sent.cause == 1001);
}

TEST_CASE_FIXTURE(Fixture, "what the client makes too long is the client's fault, not a breach") {
  CHECK(send("long").status == GP_ERR_TOO_LARGE);
  CHECK(send("m", {{"x-one", std::string(20'000, 'a')}}).status == GP_ERR_TOO_LARGE);
  CHECK(send("m", Headers(60, {"x-one", "a"})).status == GP_ERR_TOO_LARGE);
}

TEST_CASE_FIXTURE(Fixture, "a new body and edits at once are the module's fault") {
  CHECK(send("both").status == GP_ERR_INTERNAL);
}

TEST_CASE_FIXTURE(Fixture, "listed headers are forwarded, prefixes too") {
  const Sent sent = send("m", {{"X-One", "1"},
                               {"x-many-a", "2"},
                               {"x-many", "3"},
                               {"x-ones", "4"},
                               {"OPENAI-BETA", "5"},
                               {"anthropic-beta", "6"}});
  CHECK(header(sent.headers, "x-one") == "1");
  CHECK(header(sent.headers, "x-many-a") == "2");
  CHECK(header(sent.headers, "openai-beta") == "5");
  CHECK_FALSE(has_header(sent.headers, "x-many"));
  CHECK_FALSE(has_header(sent.headers, "x-ones"));
  CHECK_FALSE(has_header(sent.headers, "anthropic-beta"));  // this is Chat Completions
}

TEST_CASE_FIXTURE(Fixture, "head and data see an answer pass") {
  const Answer answer =
      provider->begin({.model = "m", .body = "{}"})->answer(200, {}, {"ab", "c\nde\nf", "g"});
  CHECK(answer.status == 201);
  CHECK(answer.pieces == std::vector<std::string>{"abc\n", "de\n", "fg"});
}

TEST_CASE_FIXTURE(Fixture, "a reader that leaves ends data") {
  const Answer answer =
      provider->begin({.model = "m", .body = "{}"})->answer_cancelled_after(1, {"a\nb\nc\n"});
  CHECK(answer.status_code == GP_ERR_CANCELLED);
  CHECK(answer.pieces.size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a buffered answer goes through body") {
  const Answer answer =
      provider->begin({.model = "whole", .body = "{}"})->answer(200, {}, {"a", "b"});
  CHECK(answer.status == 203);
  CHECK(answer.body == "<ab>");
}
