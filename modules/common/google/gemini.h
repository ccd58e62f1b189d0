// Gemini requests as Google's different front doors want them: names of models, counts, the framing
// of streams. Pure functions; results live in the request's arena or are views of its body.
#pragma once

#include <string_view>

#include "gproxy/module.hpp"

namespace gproxy_google {

// `model` without "models/" and "publishers/google/models/".
std::string_view bare_model(std::string_view model);

// "publishers/<publisher>/models/<model>" of any way to name it: "x", "models/x", "publisher/x",
// the form itself. `otherwise` is meant by an empty name.
std::string_view publisher_model(const gp::Arena& arena, std::string_view name,
                                 std::string_view otherwise);

// A body's `model` in publisher form, where the body has one.
void edit_publisher_model(const gp::Request& request, gp::Upstream& up, std::string_view model);

// Vertex AI's countTokens takes the request's parts at the top; generateContentRequest, which the
// Gemini API has, is opened up.
std::string_view vertex_count_body(const gp::Request& request, std::string_view model);

// A wrapped count names its model once more, inside: it becomes the one of the path, whatever name
// the client knows it by. REQUIRES: the module asked for gproxy.json/1.
void sync_counted_model(const gp::Request& request, gp::Upstream& up);

// The contents to be counted, as they stand in the body; "[]" where there are none.
std::string_view counted_contents(const gp::Request& request);

// `alt` of a stream: events where the host reads it, else what the native client asks for.
std::string_view stream_query(const gp::Request& request);
// True if the client reads the stream as events.
bool wants_events(const gp::Request& request);

// ":generateContent" and the like; empty for other operations.
std::string_view action_of(int32_t operation);

}  // namespace gproxy_google
