// Invariants of request translation (wire-formats 8), seeded.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "request_generator.h"
#include "translate/claude/request.h"
#include "translate/gemini/request.h"
#include "translate/openai_chat/request.h"
#include "translate/openai_responses/request.h"
#include "translate/repair.h"
#include "translate/request.h"
#include "translate/sanitize.h"
#include "translate/seal.h"

namespace gproxy::translate {
namespace {

using testing::kProtocols;

Result<TranslatedRequest> translate(Protocol from, Protocol to, std::string_view body,
                                    const Profile& profile = {},
                                    Operation operation = Operation::generate) {
  Arena arena;
  RequestMeta meta;
  if (from == Protocol::gemini) meta.model = "m";
  return translate_request(from, to, operation, body, meta, profile, Options(), arena);
}

// Models differ: so do the rules that apply.
Profile random_profile(std::mt19937& random) {
  Profile profile;
  auto coin = [&] { return random() % 2 == 0; };
  profile.cl_mid_system = coin();
  profile.cl_prefill = coin();
  profile.cl_structured = coin();
  profile.cl_thinking.adaptive = coin();
  profile.gm_signatures = coin();
  profile.gm_fn_media = coin();
  profile.gm_thinking = coin() ? Profile::GmThinking::level : Profile::GmThinking::budget;
  profile.oa_custom_tools = coin();
  profile.oa_developer_role = coin();
  profile.oa_allowed_tools = coin();
  return profile;
}

std::vector<std::string> without_max(std::vector<std::string> events) {
  std::erase_if(events, [](const std::string& event) { return event.rfind("max ", 0) == 0; });
  return events;
}

std::string lines(const std::vector<std::string>& events) {
  std::string out;
  for (const auto& event : events) out += event + "\n";
  return out;
}

TEST_CASE("P1: a request survives the way through another protocol and back") {
  std::mt19937 random(1);
  for (int i = 0; i < 150; ++i) {
    auto conversation = testing::random_conversation(random);
    for (auto a : kProtocols) {
      auto body = testing::write_request(conversation, a);
      auto before = testing::read_events(body, a);
      for (auto b : kProtocols) {
        if (a == b) continue;
        INFO(name(a), " -> ", name(b), ": ", body);
        auto there = translate(a, b, body);
        REQUIRE(there.ok());
        auto back = translate(b, a, there->body);
        INFO("there: ", there->body);
        REQUIRE(back.ok());
        auto after = testing::read_events(back->body, a);
        bool has_max = conversation.max_tokens > 0;
        CHECK(lines(has_max ? after : without_max(after)) ==
              lines(has_max ? before : without_max(before)));
      }
    }
  }
}

TEST_CASE("P3, P4, P17: the portable core is never refused and never gives what upstreams reject") {
  std::mt19937 random(2);
  for (int i = 0; i < 150; ++i) {
    auto conversation = testing::random_conversation(random);
    auto profile = random_profile(random);
    for (auto a : kProtocols) {
      auto body = testing::write_request(conversation, a);
      for (auto b : kProtocols) {
        if (a == b) continue;
        auto got = translate(a, b, body, profile);
        INFO(name(a), " -> ", name(b), ": ", body);
        INFO("error: ", got.ok() ? std::string() : got.error().message);
        REQUIRE(got.ok());
        INFO("got: ", got->body);
        CHECK(testing::complaint(got->body, b) == "");
      }
    }
  }
}

// Takes a message, item or content out of the history at random: calls lose results, results calls.
std::string damaged(std::string_view body, Protocol protocol, std::mt19937& random) {
  Arena arena;
  auto parsed = json::parse(body, arena);
  std::string_view key = protocol == Protocol::openai_response ? "input"
                         : protocol == Protocol::gemini        ? "contents"
                                                               : "messages";
  auto* list = parsed->find(key);
  auto kept = json::Value::array();
  for (const auto& item : list->items()) {
    if (random() % 4 != 0) kept.push(arena, item);
    if (random() % 8 == 0) kept.push(arena, item);
  }
  *list = kept;
  return json::write(*parsed);
}

TEST_CASE("P4: broken histories are repaired for every target") {
  std::mt19937 random(3);
  for (int i = 0; i < 200; ++i) {
    auto conversation = testing::random_conversation(random);
    auto profile = random_profile(random);
    for (auto a : kProtocols) {
      auto body = damaged(testing::write_request(conversation, a), a, random);
      for (auto b : kProtocols) {
        if (a == b) continue;
        auto got = translate(a, b, body, profile);
        INFO(name(a), " -> ", name(b), ": ", body);
        REQUIRE(got.ok());
        INFO("got: ", got->body);
        CHECK(testing::complaint(got->body, b) == "");
      }
    }
  }
}

using Decode = Result<Request*> (*)(const json::Value&, DecodeContext&);
using Encode = Result<json::Value> (*)(Request&, EncodeContext&);

Decode decoder_of(Protocol protocol) {
  switch (protocol) {
    case Protocol::openai_chat:
      return openai_chat::decode_request;
    case Protocol::openai_response:
      return openai_responses::decode_request;
    case Protocol::claude:
      return claude::decode_request;
    default:
      return gemini::decode_request;
  }
}
Encode encoder_of(Protocol protocol) {
  switch (protocol) {
    case Protocol::openai_chat:
      return openai_chat::encode_request;
    case Protocol::openai_response:
      return openai_responses::encode_request;
    case Protocol::claude:
      return claude::encode_request;
    default:
      return gemini::encode_request;
  }
}

std::string repaired(std::string_view body, Protocol from, Protocol to, int times) {
  Arena arena;
  Options options;
  Profile profile;
  RequestMeta meta;
  RequestContext context;
  context.client = from;
  context.upstream = to;
  LossLog losses;
  auto parsed = json::parse(body, arena);
  REQUIRE(parsed.ok());
  DecodeContext decoding{arena, options, meta, context, losses, Operation::generate};
  auto request = decoder_of(from)(*parsed, decoding);
  REQUIRE(request.ok());
  filter_parts(**request, to, profile, arena, losses);
  for (int i = 0; i < times; ++i) repair(**request, to, profile, arena, losses);
  EncodeContext encoding{arena, options, profile, context, losses, Operation::generate, "m"};
  auto encoded = encoder_of(to)(**request, encoding);
  REQUIRE(encoded.ok());
  return json::write(*encoded);
}

TEST_CASE("P24: repairing twice is repairing once") {
  std::mt19937 random(4);
  for (int i = 0; i < 100; ++i) {
    auto conversation = testing::random_conversation(random);
    for (auto a : kProtocols) {
      auto body = damaged(testing::write_request(conversation, a), a, random);
      for (auto b : kProtocols) {
        if (a == b) continue;
        INFO(name(a), " -> ", name(b), ": ", body);
        CHECK(repaired(body, a, b, 2) == repaired(body, a, b, 1));
      }
    }
  }
}

TEST_CASE("P14: ids and names are legal, stable, and differ where their originals differ") {
  std::mt19937 random(5);
  static const std::string kAlphabet[] = {
      "a", "Z", "9", "_", "-", ".", ":", "/", " ", "\xC3\xBC", "\xF0\x9F\x98\x80", "__"};
  for (auto target : kProtocols) {
    std::set<std::string> originals;
    for (int i = 0; i < 400; ++i) {
      std::string text;
      for (size_t n = random() % 90; n-- > 0;) text += kAlphabet[random() % std::size(kAlphabet)];
      originals.insert(text);
    }
    std::set<std::string> ids, names;
    NameTable table(target);
    for (const auto& original : originals) table.reserve_legal({}, original);
    for (const auto& original : originals) {
      auto id = san_id(original, target);
      CHECK(legal_id(id, target));
      CHECK(san_id(id, target) == id);
      CHECK(ids.insert(id).second);
      auto name = std::string(table.sent({}, original));
      CHECK(legal_name(name, target));
      CHECK(san_name(name, target) == name);
      CHECK(names.insert(name).second);
      CHECK(table.sent({}, original) == name);
      if (legal_name(original, target)) CHECK(name == original);
    }
  }
}

TEST_CASE("P15: seals open to what was sealed, and nothing else opens") {
  std::mt19937 random(6);
  Arena arena;
  for (int i = 0; i < 500; ++i) {
    std::string bytes;
    for (size_t n = random() % 60; n-- > 0;) bytes += static_cast<char>(' ' + random() % 95);
    auto origin = kProtocols[random() % 4];
    auto redacted = random() % 2 == 0 ? Redacted::yes : Redacted::no;
    auto opened = unseal(seal(origin, bytes, redacted), Protocol::openai_chat, arena);
    CHECK(opened.sealed);
    CHECK(opened.opaque.proto == origin);
    CHECK(opened.opaque.bytes == bytes);
    CHECK(opened.redacted == (redacted == Redacted::yes));
    auto gemini = unseal_gemini(seal_for_gemini(origin, bytes, redacted), arena);
    CHECK(gemini.opaque.proto == origin);
    CHECK(gemini.opaque.bytes == bytes);
  }
  for (int i = 0; i < 2000; ++i) {
    std::string text = i % 2 == 0 ? "gp1." : "";
    for (size_t n = random() % 20; n-- > 0;) text += static_cast<char>(random() % 256);
    auto opened = unseal(text, Protocol::claude, arena);
    if (!opened.sealed) {
      CHECK(opened.opaque.proto == Protocol::claude);
      CHECK(opened.opaque.bytes == text);
    }
  }
  for (auto text : {"gp1.", "gp1.cl", "gp1.xx.YQ", "gp1.cl.%%", "gp1.cl.a", "gp2.cl.YQ"}) {
    CHECK(!unseal(text, Protocol::claude, arena).sealed);
  }
}

// Unknown members in every object that is not the client's own data.
void add_unknown(json::Value& value, Arena& arena, int depth) {
  for (auto& item : value.items()) add_unknown(item, arena, depth + 1);
  if (!value.is_object() || depth > 6) return;
  for (auto& member : value.members()) {
    bool data = member.key == "input_schema" || member.key == "parameters" ||
                member.key == "args" || member.key == "parametersJsonSchema" ||
                member.key == "response" || (member.key == "input" && member.value.is_object()) ||
                member.key == "tools";
    if (!data) add_unknown(member.value, arena, depth + 1);
  }
  value.add(arena, "x_unknown_field", json::Value::string("?"));
}

TEST_CASE("P20: unknown fields change nothing") {
  std::mt19937 random(7);
  for (int i = 0; i < 100; ++i) {
    auto conversation = testing::random_conversation(random);
    for (auto a : kProtocols) {
      auto body = testing::write_request(conversation, a);
      Arena arena;
      auto parsed = json::parse(body, arena);
      REQUIRE(parsed.ok());
      add_unknown(*parsed, arena, 0);
      auto odd = json::write(*parsed);
      for (auto b : kProtocols) {
        if (a == b) continue;
        auto plain = translate(a, b, body);
        auto with_unknown = translate(a, b, odd);
        INFO(name(a), " -> ", name(b), ": ", odd);
        REQUIRE(plain.ok());
        REQUIRE(with_unknown.ok());
        CHECK(with_unknown->body == plain->body);
        CHECK(!with_unknown->losses.empty());
        CHECK(with_unknown->losses.entries().size() <= LossLog::kMaxEntries);
      }
    }
  }
}

TEST_CASE("P22: bodies of any bytes are refused or translated, never worse") {
  std::mt19937 random(8);
  auto check = [](const std::string& body) {
    for (auto a : kProtocols) {
      for (auto b : kProtocols) {
        for (auto operation : {Operation::generate, Operation::count_tokens}) {
          auto got = translate(a, b, body, {}, operation);
          if (got.ok()) continue;
          CHECK(got.error().http() >= 400);
          CHECK(got.error().http() < 500);
        }
      }
    }
  };
  for (int i = 0; i < 60; ++i) {
    std::string noise;
    for (size_t n = random() % 200; n-- > 0;) noise += static_cast<char>(random() % 256);
    check(noise);
  }
  // Valid bodies with bytes changed, values of the wrong kind in the place of others.
  static const char* kOdd[] = {"null", "[]", "{}", "\"\"", "-1", "true", "[null]", "[[]]", "1e999"};
  for (int i = 0; i < 60; ++i) {
    auto conversation = testing::random_conversation(random);
    auto body = testing::write_request(conversation, kProtocols[random() % 4]);
    auto changed = body;
    for (int n = 0; n < 3; ++n)
      changed[random() % changed.size()] = static_cast<char>(random() % 256);
    check(changed);
    auto colon = body.find(':', random() % body.size());
    if (colon == std::string::npos) continue;
    auto end = body.find_first_of(",}]", colon);
    body.replace(colon + 1, end - colon - 1, kOdd[random() % std::size(kOdd)]);
    check(body);
  }
}

TEST_CASE("P23: depth and size beyond the limits are refused") {
  for (auto a : kProtocols) {
    std::string deep = "{\"messages\":";
    for (int i = 0; i < 100000; ++i) deep += '[';
    auto got = translate(a, a == Protocol::claude ? Protocol::gemini : Protocol::claude, deep);
    REQUIRE(!got.ok());
    CHECK(got.error().http() == 400);
  }
  Arena arena;
  Options options;
  options.limits.max_bytes = 1000;
  std::string big =
      R"({"model":"m","messages":[{"role":"user","content":")" + std::string(2000, 'x') + "\"}]}";
  auto got = translate_request(Protocol::openai_chat, Protocol::claude, Operation::generate, big,
                               {}, {}, options, arena);
  REQUIRE(!got.ok());
  CHECK(got.error().http() == 413);
  // An arena that is too small is a refusal too.
  Arena small(1024, 4096);
  auto refused = translate_request(Protocol::openai_chat, Protocol::claude, Operation::generate,
                                   big, {}, {}, Options(), small);
  REQUIRE(!refused.ok());
  CHECK(refused.error().http() == 413);
}

TEST_CASE("P23: running out of memory anywhere is a refusal") {
  std::mt19937 random(9);
  auto conversation = testing::random_conversation(random);
  while (conversation.turns.size() < 7 || conversation.tools.empty()) {
    conversation = testing::random_conversation(random);
  }
  for (auto a : kProtocols) {
    auto body = testing::write_request(conversation, a);
    for (auto b : kProtocols) {
      if (a == b) continue;
      RequestMeta meta;
      meta.model = "m";
      bool succeeded = false;
      for (size_t bytes = 1024; bytes < 400000 && !succeeded; bytes += bytes / 16) {
        Arena arena(512, bytes);
        auto got = translate_request(a, b, Operation::generate, body, meta, {}, Options(), arena);
        if (!got.ok()) CHECK(got.error().http() == 413);
        succeeded = got.ok();
      }
      CHECK(succeeded);
    }
  }
}

TEST_CASE("equal protocols: the bytes stay, only the model's name changes") {
  Arena arena;
  RequestMeta meta;
  meta.upstream_model = "upstream";
  std::string body = R"({ "messages" : [{"role":"user","content":"hi"}], "model" : "m", "z":1.50})";
  auto got = translate_request(Protocol::openai_chat, Protocol::openai_chat, Operation::generate,
                               body, meta, {}, Options(), arena);
  REQUIRE(got.ok());
  CHECK(got->body ==
        R"({ "messages" : [{"role":"user","content":"hi"}], "model" : "upstream", "z":1.50})");
  CHECK(got->losses.empty());
}

TEST_CASE("names are restored from the context: sanitised, namespaced and custom tools") {
  auto got =
      translate(Protocol::openai_response, Protocol::gemini, R"({"model":"m","input":"q","tools":[
    {"type":"namespace","name":"files","description":"d","tools":[{"type":"function","name":"read me","parameters":{"type":"object"},"strict":false}]},
    {"type":"custom","name":"patch"},
    {"type":"function","name":"plain","parameters":{"type":"object"},"strict":false}]})");
  REQUIRE(got.ok());
  const auto& context = got->context;
  const auto* read = context.find_tool("files__read_me");
  REQUIRE(read != nullptr);
  CHECK(read->original == "read me");
  CHECK(read->name_space == "files");
  const auto* patch = context.find_tool("patch");
  REQUIRE(patch != nullptr);
  CHECK(patch->kind == Call::Kind::custom);
  CHECK(patch->wrapped);
  CHECK(context.find_tool("plain") == nullptr);
  CHECK(context.echo.tools.find("read me") != std::string::npos);
}

}  // namespace
}  // namespace gproxy::translate
