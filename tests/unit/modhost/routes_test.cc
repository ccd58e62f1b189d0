#include <doctest/doctest.h>

#include "modhost/routes.h"

using namespace gproxy;
using namespace gproxy::modhost;
using translate::Operation;
using translate::Protocol;

namespace {

Route native(Protocol p, Operation o) {
  return {p, o, RouteMode::native, Protocol::none};
}
Route local(Protocol p, Operation o) {
  return {p, o, RouteMode::local, Protocol::none};
}
Route to(Protocol p, Operation o, Protocol target) {
  return {p, o, RouteMode::translate, target};
}

RouteTable table(std::vector<Route> rows) {
  auto made = RouteTable::make(std::move(rows), {.local = true});
  REQUIRE_MESSAGE(made.ok(), made.error().message);
  return std::move(*made);
}

std::string refusal(std::vector<Route> rows, RouteTable::Abilities can = {.local = true}) {
  auto made = RouteTable::make(std::move(rows), can);
  REQUIRE_FALSE(made.ok());
  return made.error().message;
}

}  // namespace

TEST_CASE("a native row is served in its own protocol") {
  auto t = table({native(Protocol::claude, Operation::generate)});
  auto r = t.resolve(Protocol::claude, Operation::generate);
  CHECK(r.mode == RouteMode::native);
  CHECK(r.served == RouteMode::native);
  CHECK(r.target_protocol == Protocol::claude);
  CHECK_FALSE(r.bridged(Operation::generate));
}

TEST_CASE("a pair without a row is unsupported") {
  auto t = table({native(Protocol::claude, Operation::generate)});
  CHECK_FALSE(t.resolve(Protocol::gemini, Operation::generate).supported());
  CHECK_FALSE(t.resolve(Protocol::claude, Operation::count_tokens).supported());
  CHECK_FALSE(t.resolve(static_cast<Protocol>(77), Operation::generate).supported());
  CHECK_FALSE(RouteTable().resolve(Protocol::claude, Operation::generate).supported());
}

TEST_CASE("generate and stream_generate fall back to each other") {
  auto t = table({native(Protocol::claude, Operation::stream_generate)});
  auto r = t.resolve(Protocol::claude, Operation::generate);
  CHECK(r.mode == RouteMode::native);
  CHECK(r.target_operation == Operation::stream_generate);
  CHECK(r.bridged(Operation::generate));
}

TEST_CASE("a translation is resolved once more at its target") {
  auto t = table({to(Protocol::claude, Operation::generate, Protocol::openai_response),
                  native(Protocol::openai_response, Operation::generate),
                  to(Protocol::claude, Operation::model_list, Protocol::openai),
                  local(Protocol::openai, Operation::model_list)});
  auto r = t.resolve(Protocol::claude, Operation::generate);
  CHECK(r.mode == RouteMode::translate);
  CHECK(r.served == RouteMode::native);
  CHECK(r.target_protocol == Protocol::openai_response);
  CHECK(t.resolve(Protocol::claude, Operation::model_list).served == RouteMode::local);
}

TEST_CASE("the stream fallback holds at a translation's target too") {
  // The table of a provider that streams only, as the reference's codex: whole answers are
  // collected.
  auto t = table({to(Protocol::claude, Operation::stream_generate, Protocol::openai_response),
                  native(Protocol::openai_response, Operation::stream_generate)});
  auto r = t.resolve(Protocol::claude, Operation::generate);
  CHECK(r.mode == RouteMode::translate);
  CHECK(r.target_protocol == Protocol::openai_response);
  CHECK(r.target_operation == Operation::stream_generate);
}

TEST_CASE("a table with a mistake is refused and the mistake named") {
  CHECK(
      refusal({native(Protocol::openai_chat, Operation::count_tokens)}).find("no such operation") !=
      std::string::npos);
  CHECK(refusal({native(Protocol::claude, Operation::generate),
                 native(Protocol::claude, Operation::generate)})
            .find("twice") != std::string::npos);
  CHECK(refusal({to(Protocol::claude, Operation::generate, Protocol::gemini)})
            .find("neither native nor local") != std::string::npos);
  CHECK(refusal({to(Protocol::claude, Operation::generate, Protocol::claude)})
            .find("neither native nor local") != std::string::npos);
  CHECK(refusal({to(Protocol::claude, Operation::generate, Protocol::gemini),
                 to(Protocol::gemini, Operation::generate, Protocol::openai_chat),
                 native(Protocol::openai_chat, Operation::generate)})
            .find("neither native nor local") != std::string::npos);
  CHECK(refusal({to(Protocol::openai, Operation::model_list, Protocol::openai_chat)})
            .find("neither") != std::string::npos);
  CHECK(refusal({local(Protocol::openai, Operation::model_list)}, {}).find("gproxy.local/1") !=
        std::string::npos);
  CHECK(refusal({local(Protocol::openai, Operation::model_list)}, {.count = true})
            .find("gproxy.local/1") != std::string::npos);
  CHECK(RouteTable::make({local(Protocol::openai, Operation::count_tokens)}, {.count = true}).ok());
  CHECK(refusal({local(Protocol::openai, Operation::count_tokens)}, {}).find("gproxy.count/1") !=
        std::string::npos);
  CHECK(refusal({local(Protocol::none, Operation::usage)}).find("native or unsupported") !=
        std::string::npos);
}
