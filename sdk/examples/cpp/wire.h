// SPDX-License-Identifier: MIT
//
// Echo's answers as the four protocols write them. Appends to a string; holds nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace echo {

inline constexpr std::string_view kModel = "echo";

// What is being answered. Views are in the exchange's arena.
struct Answer {
  int32_t protocol = 0;
  int32_t operation = 0;
  std::string_view id;         // of the exchange
  std::string_view model;      // as asked for
  std::string_view text;       // to be echoed
  int64_t created = 0;         // UNIX time in s
  int64_t tokens = 0;          // of the input, and so of the output
  bool include_usage = false;  // Chat Completions: the client wants the usage chunk
  bool sse = true;             // Gemini: server-sent events rather than one array
};

void append_whole(std::string& out, const Answer& answer);
// A stream: its beginning, each piece of text, its end. `sequence` numbers the events of Responses.
void append_begin(std::string& out, const Answer& answer, int64_t& sequence);
void append_delta(std::string& out, const Answer& answer, std::string_view piece, bool first,
                  int64_t& sequence);
void append_end(std::string& out, const Answer& answer, int64_t& sequence);
// Counts and the model list and get; the HTTP status.
int32_t append_other(std::string& out, const Answer& answer);

}  // namespace echo
