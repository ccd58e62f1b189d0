// The envelope of Google's internal API: requests go up as {"model", "project", "request": …},
// answers come as {"response": …}. A call unwraps its answer, whole or streamed, however the stream
// is cut. One per attempt; its loop's thread; owned by the host as gp_call.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gproxy/module.hpp"

namespace gproxy_google {

// How the client reads a stream. The vendor always sends events.
enum class Framing {
  events,
  array,  // the Gemini API's form without alt=sse: one JSON array
};

// What an answer may lack and clients rely on.
enum class Repair {
  none,
  missing_parts,  // candidates[].content without `parts` gets an empty list
};

class Envelope {
 public:
  Envelope(const gp_json_ext* json, Framing framing, Repair repair)
      : json_(json), framing_(framing), repair_(repair) {}

  // The content type follows from the framing.
  gp::Status head(const gp_head& in, gp_head& out);
  gp::Status data(std::string_view in, bool last, const gp::Sink& sink);
  // An answer that is not JSON is the vendor's fault: 502.
  gp::Status body(const gp_reply& whole, gp_reply& out, const gp::Arena& arena) const;

 private:
  // One event may carry a picture; more than this is not an answer.
  static constexpr size_t kMaxEvent = size_t{64} << 20;

  gp::Status line(std::string_view text, const gp::Sink& sink);
  gp::Status event(const gp::Sink& sink);
  gp::Status write(std::string_view json, const gp::Sink& sink);
  void unwrap(std::string_view json, std::string& out) const;

  const gp_json_ext* json_;
  Framing framing_;
  Repair repair_;
  std::vector<gp_header> headers_;
  std::string line_;   // the part of a line that has come
  std::string event_;  // the data lines of the event so far
  std::string out_;    // scratch
  bool skip_lf_ = false;
  bool has_data_ = false;
  bool opened_ = false;  // of an array: the bracket went out
};

// The request's body in its envelope, as two splices: `head` is what stands before "request".
void wrap_request(const gp::Request& request, gp::Upstream& up, std::string_view head);

}  // namespace gproxy_google
