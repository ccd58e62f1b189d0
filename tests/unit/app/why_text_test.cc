#include "app/why_text.h"

#include <doctest/doctest.h>

#include "app/options.h"

using namespace gproxy;
using namespace gproxy::app;

namespace {

std::string text_of(std::string_view json) {
  Arena arena;
  const auto parsed = json::parse(json, arena);
  REQUIRE(parsed.ok());
  return why_text(*parsed);
}

}  // namespace

TEST_CASE("a decision is told in lines that a person can read") {
  const auto text = text_of(R"({"trace_id":"t-1","request_id":"mine","at":"2026-01-02T03:04:05Z",
    "outcome":"ok","status":200,"error_code":null,"user_id":0,"user_key_id":3,
    "protocol":"openai_chat_completions","operation":"generate","stream":true,"way":"translated",
    "target_protocol":"claude","provider":"other","credential":{"id":9,"name":"spare"},"model":"big",
    "route":{"name":"fast-*","asked":"fast-7","tier":2,"target":2,"targets":3,
      "passed_over":[{"provider":"down","model":"x","tier":1,"why":"no_credential"}]},
    "pool":{"strategy":"sticky","credentials":4,"skipped":2,"affinity":"moved","pinned_credential_id":null},
    "skipped":[{"provider":"down","credential":{"id":1,"name":"c1"},"attempt":1,"why":"rests",
      "reason":"rate_limit","scope":"model","until":"2026-01-02T03:05:00Z"},
      {"provider":"down","credential":{"id":2,"name":null},"attempt":1,"why":"dead",
      "reason":"auth_invalid","scope":"credential","until":null}],
    "attempts":[{"no":1,"provider":"down","credential":{"id":3,"name":null},"model":"x","tier":1,
      "began_us":10,"status":null,"outcome":"failed","failure":"connect","error_code":"upstream_transport_error",
      "verdict":"cool_down","reason":"unreachable","scope":"credential","rest_ms":3000,"then":"target",
      "backoff_ms":200,"connect_us":null,"first_byte_us":null,"duration_us":1500},
      {"no":2,"provider":"other","credential":{"id":9,"name":"spare"},"model":"big","tier":2,"status":200,
      "outcome":"ok","duration_us":250000,"backoff_ms":0}],
    "waits":[{"provider":"down","ended":"granted","duration_us":40000}],
    "phases":{"receive_us":100,"queue_us":40000,"prepare_us":900,"refresh_us":0,"failed_us":1500,
      "backoff_us":200000,"connect_us":0,"first_byte_us":230000,"stream_us":20000,"total_us":492500}})");
  CHECK(text ==
        "request t-1, the client's mine\n"
        "2026-01-02T03:04:05Z: ok 200\n"
        "user 0, key 3\n"
        "openai_chat_completions generate, streamed: translated to claude, other, spare (#9), big\n"
        "route fast-*, asked as fast-7, tier 2, target 2 of 3\n"
        "  passed over: down/x, tier 1: no_credential\n"
        "pool of 4: sticky, 2 not usable, conversation moved\n"
        "not used\n"
        "  down, c1 (#1): rests, rate_limit (this model), until 2026-01-02T03:05:00Z\n"
        "  down, #2: dead, auth_invalid\n"
        "attempts\n"
        "  1. down, #3, x, tier 1: failed connect upstream_transport_error after 1.5 ms\n"
        "     cool_down: unreachable, credential rests 3.0 s; then target after 200.0 ms\n"
        "  2. other, spare (#9), big, tier 2: ok 200 after 250.0 ms\n"
        "waited 40.0 ms for down: granted\n"
        "time\n"
        "  receiving             0.1 ms\n"
        "  in the queue         40.0 ms\n"
        "  preparing             0.9 ms\n"
        "  failed attempts       1.5 ms\n"
        "  backing off         200.0 ms\n"
        "  connecting            0.0 ms\n"
        "  first byte          230.0 ms\n"
        "  answer               20.0 ms\n"
        "  total               492.5 ms\n");
}

TEST_CASE("what is not there is left out, whatever the answer looks like") {
  CHECK(text_of("{}").starts_with("request \n"));
  CHECK(text_of(R"({"attempts":1,"phases":[],"skipped":{}})").ends_with("time\n"));
}

TEST_CASE("why takes an id and the options of the call") {
  const auto none = [](std::string_view) { return std::optional<std::string>(); };
  const auto o = parse_options({"why", "t-1", "--json", "--port", "9"}, none);
  REQUIRE(o.ok());
  CHECK(o->command == Command::why);
  CHECK(o->arguments == std::vector<std::string>{"t-1"});
  CHECK(o->json);
}
