// Random neutral answers and how each protocol puts them on the wire, streamed and whole. Seeded;
// written apart from the encoders, so that the two check each other.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "translate/protocol.h"

namespace gproxy::translate::test {

struct WirePart {
  enum class Kind { text, reasoning, call, refusal };
  Kind kind = Kind::text;
  std::string text;  // or the reason's text
  std::string id, name, args;
  std::string signature;  // reasoning; empty = none
};

struct WireAnswer {
  std::vector<WirePart> parts;
  enum class End { stop, length, filtered };
  End end = End::stop;
  int64_t input = 0, cached = 0, output = 0, reasoning = 0;
  bool has_calls() const;
};

using Random = std::mt19937;

// An answer that `upstream` can express: Chat has one reasoning, one text, one refusal, then calls.
WireAnswer random_answer(Protocol upstream, Random& random);

std::string whole_answer(Protocol upstream, const WireAnswer& answer);
// The same as stream events, its texts cut at random.
std::vector<std::string> streamed_answer(Protocol upstream, const WireAnswer& answer,
                                         Random& random);

std::string random_text(Random& random, size_t max_pieces);
std::string random_args(Random& random);

}  // namespace gproxy::translate::test
