#include "translate/openai_responses/answer_frame.h"

#include "translate/answer_common.h"

namespace gproxy::translate::responses {

void AnswerFrame::begin_event(std::string_view type) {
  *out_ += "event: ";
  *out_ += type;
  *out_ += "\ndata: {\"type\":\"";
  *out_ += type;
  *out_ += "\",\"sequence_number\":";
  *out_ += std::to_string(sequence_number_++);
}

void AnswerFrame::put_item_id() {
  *out_ += ",\"item_id\":\"";
  *out_ += item_id_;
  *out_ += "\",\"output_index\":";
  *out_ += std::to_string(item_index_);
}

void AnswerFrame::item_event(std::string_view type, std::string_view fields) {
  if (document_) return;
  begin_event(type);
  put_item_id();
  *out_ += fields;
  end_event();
}

void AnswerFrame::text_event(std::string_view type, std::string_view place, std::string_view member,
                             std::string_view text, std::string_view rest) {
  if (document_) return;
  begin_event(type);
  put_item_id();
  *out_ += place;
  *out_ += member;
  json::write_string(text, *out_);
  *out_ += rest;
  end_event();
}

Snapshot AnswerFrame::snapshot(std::string_view status) const {
  Snapshot snapshot;
  snapshot.id = id_;
  snapshot.model = model_;
  snapshot.status = status;
  snapshot.created_at = created_at_;
  return snapshot;
}

std::string AnswerFrame::output() const {
  std::string out;
  out.reserve(items_bytes_ + items_.size());
  for (const auto& item : items_) {
    if (item.empty()) continue;
    if (!out.empty()) out += ',';
    out += item;
  }
  return out;
}

void AnswerFrame::begin_answer(const Event& event) {
  id_ = answer_id(event.id, "resp_", context_.ids);
  const auto& request = context_.request;
  model_ = context_.options.upstream_model_name || request.requested_model.empty()
               ? std::string(event.name)
               : request.requested_model;
  created_at_ = event.created > 0 ? event.created : context_.ids.now_s();
  created_ = true;
  if (document_) return;
  for (const std::string_view type : {"response.created", "response.in_progress"}) {
    begin_event(type);
    *out_ += ",\"response\":";
    write_response(snapshot("in_progress"), request.echo, *out_);
    end_event();
  }
}

void AnswerFrame::end_answer(Snapshot snapshot) {
  const std::string items = output();
  snapshot.output = items;
  if (!document_) {
    begin_event("response." + std::string(snapshot.status));
    *out_ += ",\"response\":";
  }
  write_response(snapshot, context_.request.echo, *out_);
  if (!document_) end_event();
  ended_ = true;
}

void AnswerFrame::fail(const Error& error) {
  if (ended_) return;
  if (created_) {
    // Items that are open stay as they are, marked incomplete.
    write_incomplete_items();
    Snapshot failed = snapshot("failed");
    failed.error = &error;
    return end_answer(failed);
  }
  ended_ = true;
  begin_event("error");
  *out_ += ",\"code\":";
  json::write_string(error_code(error), *out_);
  *out_ += ",\"message\":";
  json::write_string(error.message, *out_);
  *out_ += ",\"param\":null";
  end_event();
}

void AnswerFrame::new_item(std::string_view id_prefix) {
  item_id_ = context_.ids.next(id_prefix);
  item_index_ = items_.size();
  items_.emplace_back();
}

void AnswerFrame::added(std::string_view item) {
  if (document_) return;
  begin_event("response.output_item.added");
  *out_ += ",\"output_index\":";
  *out_ += std::to_string(item_index_);
  *out_ += ",\"item\":";
  *out_ += item;
  end_event();
}

void AnswerFrame::done_item(std::string item) {
  if (!document_) {
    begin_event("response.output_item.done");
    *out_ += ",\"output_index\":";
    *out_ += std::to_string(item_index_);
    *out_ += ",\"item\":";
    *out_ += item;
    end_event();
  }
  keep(std::move(item));
}

void AnswerFrame::keep(std::string item) {
  items_bytes_ += item.size();
  items_[item_index_] = std::move(item);
}

}  // namespace gproxy::translate::responses
