#include "gateway/response_path.h"

#include <algorithm>
#include <utility>

#include "base/json_scan.h"

namespace gproxy::gateway {

using translate::UsageScan;

ResponsePath::ResponsePath(Options options, Receiver& receiver)
    : options_(std::move(options)),
      receiver_(receiver),
      scan_(options_.protocol, options_.framing),
      open_(false) {
  if (!options_.model_provider.empty()) scan_.mark_models();
}

Result<void> ResponsePath::feed(std::string_view bytes) {
  if (options_.call != nullptr) return options_.call->data(bytes, modhost::Last::no, *this);
  return native(bytes);
}

Result<void> ResponsePath::finish() {
  if (options_.call != nullptr) GP_CHECK(options_.call->data({}, modhost::Last::yes, *this));
  if (options_.usage != nullptr) options_.usage->finish();
  if (options_.translator != nullptr) return translated(options_.translator->finish(translated_));
  settling_ = false;
  if (!edited_.empty()) {
    const auto rest = std::exchange(edited_, {});
    emit(rest);
  }
  cut_ = open_ && expects_json() && !unread_ && !scan_.whole();
  if (open_ || (scan_.failed() && !expects_json())) return ok();
  const bool sound =
      options_.expects == Expects::anything || (expects_json() ? scan_.whole() : scan_.plausible());
  if (!sound) {
    garbage_ = true;
  } else if (!held_.empty()) {
    pass({});
  }
  return ok();
}

Result<void> ResponsePath::on_module_data(std::string_view bytes) {
  return native(bytes);
}

Result<void> ResponsePath::native(std::string_view bytes) {
  if (bytes.empty()) return ok();
  if (options_.usage != nullptr) options_.usage->feed(bytes);
  if (options_.translator != nullptr) {
    scan_.feed(bytes);
    tell_id();
    return translate(bytes);
  }
  if (options_.model_provider.empty() && !options_.strip_usage_chunk) {
    scan_.feed(bytes);
    emit(bytes);
  } else {
    edit(bytes);
  }
  return ok();
}

Result<void> ResponsePath::translate(std::string_view bytes) {
  auto& translator = *options_.translator;
  // What came is kept until the first event is understood: the module judges a failure by it.
  if (!open_) held_.append(bytes.substr(0, kMaxGateBytes - std::min(held_.size(), kMaxGateBytes)));
  auto fed = translator.feed(bytes, translated_);
  if (fed.ok() && options_.whole &&
      translator.held_bytes() + translated_.size() > options_.max_whole_bytes) {
    Error error{ErrorKind::server, "response_too_large", "the upstream's answer is too large"};
    error.status = 502;
    fed = std::move(error);
  }
  return translated(std::move(fed));
}

Result<void> ResponsePath::translated(Result<void> result) {
  if (!result.ok() && !translator_error_) translator_error_ = result.error();
  if (options_.whole) return result;
  using Progress = translate::StreamTranslator::Progress;
  if (!open_ && options_.translator->progress() == Progress::nothing) return result;
  if (!translated_.empty()) {
    open_ = true;
    held_ = {};
    receiver_.on_answer(translated_);
    translated_.clear();
  }
  return result;
}

bool ResponsePath::fail(const Error& error) {
  if (options_.translator == nullptr || options_.whole || !open_) return false;
  options_.translator->fail(error, translated_);
  if (!translated_.empty()) receiver_.on_answer(translated_);
  translated_.clear();
  return true;
}

void ResponsePath::edit(std::string_view bytes) {
  size_t from = 0;
  const auto take = [&](std::string_view piece) {
    if (piece.empty()) return;
    if (std::exchange(drop_lf_, false) && piece.front() == '\n') piece.remove_prefix(1);
    edited_.append(piece);
  };
  scan_.feed(bytes, [&](UsageScan::Mark mark, size_t at) {
    take(bytes.substr(from, at - from));
    from = at;
    if (settling_) settle_model();
    if (mark == UsageScan::Mark::model) {
      if (options_.model_provider.empty()) return;
      model_at_ = edited_.size();
      settling_ = true;
      return;
    }
    if (options_.strip_usage_chunk && scan_.was_usage_chunk() && !event_too_large_) {
      // Where a piece ends inside the CRLF of an event, so does the event: its LF is the next
      // one's.
      const bool begins = edited_.size() > event_at_ && edited_[event_at_] == '\n';
      const bool ends = edited_.ends_with('\n');
      edited_.resize(event_at_ + (begins && ends ? 1 : 0));
      drop_lf_ = !begins && !ends;
      settling_ = false;
    }
    event_at_ = edited_.size();
    event_too_large_ = false;
  });
  take(bytes.substr(from));
  if (settling_) settle_model();

  size_t ready = edited_.size();
  if (options_.strip_usage_chunk && !event_too_large_) {
    if (edited_.size() - event_at_ > kMaxUsageChunk) {
      event_too_large_ = true;  // no usage chunk is that long
    } else {
      ready = event_at_;
    }
  }
  if (settling_) ready = std::min(ready, model_at_);
  if (ready == 0) return;
  emit(std::string_view(edited_).substr(0, ready));
  edited_.erase(0, ready);
  event_at_ -= std::min(event_at_, ready);
  model_at_ -= std::min(model_at_, ready);
}

void ResponsePath::settle_model() {
  const auto provider = options_.model_provider;
  const auto text = std::string_view(edited_).substr(model_at_);
  const size_t quote = text.find('"');
  const auto model = text.substr(0, quote);
  const bool complete = quote != std::string_view::npos;
  if (complete && (model.empty() || model == provider)) {
    settling_ = false;
    return;
  }
  // As much of "provider/" as is there.
  const auto common = std::min(model.size(), provider.size());
  const bool same = model.substr(0, common) == provider.substr(0, common);
  const bool prefixed = same && model.size() > provider.size() && model[provider.size()] == '/';
  if (prefixed) {
    settling_ = false;
    return;
  }
  if (same && model.size() <= provider.size() && !complete) return;  // the next piece tells
  std::string prefix(provider);
  prefix += '/';
  edited_.insert(model_at_, prefix);
  settling_ = false;
}

// Before the bytes that tell it to the client go out.
void ResponsePath::tell_id() {
  if (!options_.report_id || scan_.response_id().empty()) return;
  options_.report_id = false;
  receiver_.on_response_id(scan_.response_id());
}

void ResponsePath::emit(std::string_view bytes) {
  tell_id();
  if (open_) {
    if (!bytes.empty()) receiver_.on_answer(bytes);
    return;
  }
  if (garbage_) return;
  if (expects_json()) {
    hold(bytes);
    return;
  }
  const bool full = held_.size() + bytes.size() > kMaxGateBytes;
  // Bytes that hold an error and nothing else stay: the attempt has failed before it began.
  if (options_.gate_on_event && !scan_.content() && !full) {
    held_.append(bytes);
    return;
  }
  if (full && options_.expects == Expects::events && !scan_.plausible()) {
    garbage_ = true;
    return;
  }
  if (!bytes.empty()) pass(bytes);
}

// An answer in JSON: what is there of it is looked at, and kept until it is whole or too long.
void ResponsePath::hold(std::string_view bytes) {
  if (bytes.empty()) return;
  auto all = bytes;
  if (!held_.empty()) {
    held_.append(bytes);
    all = held_;
  }
  constexpr std::string_view kBlank = " \t\r\n", kByteOrderMark = "\xEF\xBB\xBF";
  auto text = all;
  text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
  bool ready = false;
  if (text.starts_with(kByteOrderMark)) {
    ready = unread_ = true;  // some clients can do with one, and the scan cannot see behind it
  } else if (text.empty()) {
    ready = !options_.length_known;  // some upstreams send blanks while they think
  } else {
    const size_t second = text.find_first_not_of(kBlank, 1);
    const bool member =
        second == std::string_view::npos || text[second] == '"' || text[second] == '}';
    const bool array = text[0] == '[' && options_.expects != Expects::object;
    if (!array && (text[0] != '{' || !member)) {
      garbage_ = true;
      return;
    }
    ready = scan_.whole() || options_.expects == Expects::elements || all.size() > kMaxHeldAnswer;
  }
  if (!ready) {
    if (held_.empty()) held_.assign(bytes);
  } else if (held_.empty()) {
    pass(bytes);
  } else {
    pass({});  // they stand in held_
  }
}

void ResponsePath::pass(std::string_view bytes) {
  open_ = true;
  if (!held_.empty()) {
    held_.append(bytes);
    receiver_.on_answer(held_);
    held_ = {};
  } else {
    receiver_.on_answer(bytes);
  }
}

std::string prefix_model_field(std::string_view body, std::string_view field,
                               std::string_view provider) {
  std::string out(body);
  const auto span = json::find(body, {field});
  if (!span.found || span.kind != json::Kind::string || span.len < 3) return out;
  constexpr std::string_view kModels = "models/";
  size_t at = span.at + 1;
  auto model = body.substr(at, span.len - 2);
  if (model.starts_with(kModels)) {
    model.remove_prefix(kModels.size());
    at += kModels.size();
  }
  const bool prefixed = model.starts_with(provider) && model.size() > provider.size() &&
                        model[provider.size()] == '/';
  if (model.empty() || model == provider || prefixed) return out;
  out.insert(at, std::string(provider) + "/");
  return out;
}

}  // namespace gproxy::gateway
