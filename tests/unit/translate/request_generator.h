// Random conversations for property tests, written in each protocol, and read back into what must
// survive a translation. Independent of the codecs under test. Deterministic by seed.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "base/json.h"
#include "translate/protocol.h"

namespace gproxy::translate::testing {

struct GenImage {
  std::string mime, base64;
};
struct GenCall {
  std::string id, name, args, result;
};
struct GenTurn {
  bool assistant = false;
  std::vector<std::string> texts;
  std::vector<GenImage> images;  // user
  std::vector<GenCall> calls;    // assistant, all answered
};
struct GenTool {
  std::string name, description, schema;  // JSON Schema
};
struct Conversation {
  std::string system;
  std::vector<GenTurn> turns;  // begins and ends with the user
  std::vector<GenTool> tools;
  int choice = 0;  // 0 none given, 1 auto, 2 none, 3 any, 4 the first tool
  int64_t max_tokens = 0;
  std::string temperature, top_p;  // number texts, maybe empty
  std::vector<std::string> stop;
  bool stream = false;
};

Conversation random_conversation(std::mt19937& random);
// The request body of a client of `protocol`.
std::string write_request(const Conversation& conversation, Protocol protocol);

// What happened in a request body, in order: "user: …", "assistant: …", "call 0 f {…}",
// "result 0 …", "image …", "tool …", "choice …", "max …". Texts of one speaker in a row are joined
// and white space at their ends is taken off.
std::vector<std::string> read_events(std::string_view body, Protocol protocol);

// What an upstream of `protocol` would reject in a request body; empty when nothing.
std::string complaint(std::string_view body, Protocol protocol);

inline constexpr Protocol kProtocols[] = {Protocol::openai_chat, Protocol::openai_response,
                                          Protocol::claude, Protocol::gemini};

}  // namespace gproxy::translate::testing
