#include "common/google/envelope.h"

namespace gproxy_google {
namespace {

gp_json_node find(const gp_json_ext* json, std::string_view text, std::string_view pointer) {
  gp_json_node node{};
  const gp_str path = gp::str(pointer);
  if (json->index(gp::str(text), &path, 1, &node) != GP_OK) return {};
  return node;
}

// Calls visit(text) for each element.
template <class Visit>
void each(const gp_json_ext* json, std::string_view text, const gp_json_node& list, Visit visit) {
  gp_json_member member{};
  for (gp_status status = json->first(gp::str(text), &list, &member); status == GP_OK;
       status = json->next(gp::str(text), &list, &member)) {
    visit(text.substr(member.value.at, member.value.len), member.value);
  }
}

// What stands in the envelope; the text itself where there is none. It may be wrapped twice.
std::string_view inner(const gp_json_ext* json, std::string_view text) {
  for (int depth = 0; depth < 2; ++depth) {
    const gp_json_node node = find(json, text, "/response");
    if (node.type != GP_JSON_OBJECT || (node.flags & GP_NODE_FOUND) == 0) break;
    text = text.substr(node.at, node.len);
  }
  return text;
}

bool is_empty_object(std::string_view object) {
  const size_t at = object.find_first_not_of(" \t\r\n", 1);
  return at == std::string_view::npos || object[at] == '}';
}

// Appends `text`, an empty `parts` put into each candidate's content that has none.
void append_with_parts(const gp_json_ext* json, std::string_view text, std::string& out) {
  const gp_json_node candidates = find(json, text, "/candidates");
  size_t from = 0;
  if (candidates.type == GP_JSON_ARRAY) {
    each(json, text, candidates, [&](std::string_view candidate, const gp_json_node& place) {
      const gp_json_node content = find(json, candidate, "/content");
      if (content.type != GP_JSON_OBJECT || (content.flags & GP_NODE_FOUND) == 0) return;
      const std::string_view object = candidate.substr(content.at, content.len);
      if ((find(json, object, "/parts").flags & GP_NODE_FOUND) != 0) return;
      const size_t at = place.at + content.at + 1;
      out.append(text.substr(from, at - from));
      out.append(is_empty_object(object) ? R"("parts":[])" : R"("parts":[],)");
      from = at;
    });
  }
  out.append(text.substr(from));
}

}  // namespace

void Envelope::unwrap(std::string_view json, std::string& out) const {
  const std::string_view text = inner(json_, json);
  if (repair_ == Repair::missing_parts) {
    append_with_parts(json_, text, out);
  } else {
    out.append(text);
  }
}

gp::Status Envelope::head(const gp_head& in, gp_head& out) {
  if (framing_ == Framing::events) return gp::ok();
  headers_.assign(in.headers, in.headers + in.header_count);
  for (gp_header& header : headers_) {
    if (gp::equals_ignoring_case(gp::view(header.name), "content-type"))
      header.value = gp::str("application/json; charset=UTF-8");
  }
  out.headers = headers_.data();
  out.header_count = headers_.size();
  return gp::ok();
}

gp::Status Envelope::data(std::string_view in, bool last, const gp::Sink& sink) {
  while (!in.empty()) {
    if (skip_lf_ && in.front() == '\n') in.remove_prefix(1);
    skip_lf_ = false;
    const size_t end = in.find_first_of("\r\n");
    if (end == std::string_view::npos) {
      if (line_.size() + in.size() > kMaxEvent) return gp::internal("an event has no end");
      line_.append(in);
      break;
    }
    skip_lf_ = in[end] == '\r';
    gp::Status status;
    if (line_.empty()) {
      status = line(in.substr(0, end), sink);
    } else {
      line_.append(in.substr(0, end));
      status = line(line_, sink);
      line_.clear();
    }
    if (!status.ok()) return status;
    in.remove_prefix(end + 1);
  }
  if (!last) return gp::ok();
  // The last event may lack its empty line.
  if (!line_.empty()) {
    if (auto status = line(line_, sink); !status.ok()) return status;
    line_.clear();
  }
  if (auto status = event(sink); !status.ok()) return status;
  if (framing_ == Framing::events) return gp::ok();
  return sink.write(opened_ ? "]" : "[]");
}

gp::Status Envelope::line(std::string_view text, const gp::Sink& sink) {
  if (text.empty()) return event(sink);
  if (!text.starts_with("data")) {
    // Comments and other fields mean nothing here; anything else is no stream of events.
    for (std::string_view field : {":", "event", "id", "retry"}) {
      if (text.starts_with(field)) return gp::ok();
    }
    return gp::internal("the vendor's stream does not consist of events");
  }
  text.remove_prefix(4);
  if (text.starts_with(':')) text.remove_prefix(1);
  if (text.starts_with(' ')) text.remove_prefix(1);
  if (event_.size() + text.size() > kMaxEvent) return gp::internal("an event has no end");
  // Between two lines of data stands a line's end: in JSON that is white space.
  if (has_data_) event_ += ' ';
  event_.append(text);
  has_data_ = true;
  return gp::ok();
}

gp::Status Envelope::event(const gp::Sink& sink) {
  if (!has_data_) return gp::ok();
  has_data_ = false;
  gp::Status status = gp::ok();
  if (gp::trim(event_) == "[DONE]") {
    if (framing_ == Framing::events) status = sink.write("data: [DONE]\n\n");
  } else {
    gp_json_node root{};
    gp_error error = gp::stamped<gp_error>();
    if (json_->validate(gp::str(event_), &root, &error) != GP_OK ||
        (root.type != GP_JSON_OBJECT && root.type != GP_JSON_ARRAY)) {
      status = gp::internal("the vendor's event is not JSON");
    } else if (root.type == GP_JSON_OBJECT) {
      status = write(event_, sink);
    } else {
      each(json_, event_, root, [&](std::string_view element, const gp_json_node&) {
        if (status.ok()) status = write(element, sink);
      });
    }
  }
  event_.clear();
  return status;
}

gp::Status Envelope::write(std::string_view json, const gp::Sink& sink) {
  out_.assign(framing_ == Framing::events ? "data: " : opened_ ? ",\r\n" : "[");
  opened_ = true;
  unwrap(json, out_);
  if (framing_ == Framing::events) out_ += "\n\n";
  return sink.write(out_);
}

gp::Status Envelope::body(const gp_reply& whole, gp_reply& out, const gp::Arena& arena) const {
  gp_json_node root{};
  gp_error error = gp::stamped<gp_error>();
  if (json_->validate(whole.body, &root, &error) != GP_OK || root.type != GP_JSON_OBJECT)
    return gp::internal("the vendor's answer is no JSON object");
  std::string_view text = inner(json_, gp::view(whole.body));
  if (repair_ == Repair::missing_parts) {
    std::string repaired;
    append_with_parts(json_, text, repaired);
    text = arena.copy(repaired);
  }
  out.body = gp::str(text);
  return gp::ok();
}

void wrap_request(const gp::Request& request, gp::Upstream& up, std::string_view head) {
  up.edit().replace(0, 0, request.arena().concat({head, R"("request":)"}));
  up.edit().replace(request.body().size(), 0, "}");
}

}  // namespace gproxy_google
