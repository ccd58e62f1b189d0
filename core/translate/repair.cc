#include "translate/repair.h"

#include <unordered_map>

#include "translate/media.h"
#include "translate/sanitize.h"
#include "translate/wire.h"

namespace gproxy::translate {

namespace {

constexpr std::string_view kBillingHeader = "x-anthropic-billing-header:";

Part text_part(std::string_view text, const Path* at) {
  Part part;
  part.kind = PartKind::text;
  part.text = text;
  part.at = at;
  return part;
}

Message message_of(Role role, const Part& part, Arena& arena, const Path* at) {
  Message message;
  message.role = role;
  message.at = at;
  message.parts.push(arena, part);
  return message;
}

bool has_calls(const Message& message) {
  for (const auto& part : message.parts) {
    if (part.kind == PartKind::call) return true;
  }
  return false;
}

bool has_results(const Message& message) {
  for (const auto& part : message.parts) {
    if (part.kind == PartKind::result) return true;
  }
  return false;
}

class Repair {
 public:
  Repair(Request& request, Protocol target, const Profile& profile, Arena& arena, LossLog& losses)
      : request_(request), target_(target), profile_(profile), arena_(arena), losses_(losses) {}

  void run() {
    drop_billing_header();
    drop_empty_parts();
    join_assistant_turns();
    sanitize_ids(request_, target_, arena_);
    pair_results();
    place_system_messages();
    if (target_ == Protocol::claude || target_ == Protocol::gemini) {
      merge_roles();
      first_turn();
      last_turn();
    }
    never_empty();
  }

 private:
  bool merging() const { return target_ == Protocol::claude || target_ == Protocol::gemini; }

  // A line that changes with every call and would spoil the prefix caches of other upstreams.
  void drop_billing_header() {
    if (target_ == Protocol::claude) return;
    size_t kept = 0;
    for (const auto& segment : request_.system) {
      if (segment.text.substr(0, kBillingHeader.size()) == kBillingHeader) {
        losses_.add(segment.at, {}, LossAction::dropped, "billing header of another upstream",
                    /*harmless=*/true);
      } else {
        request_.system[kept++] = segment;
      }
    }
    request_.system.truncate(kept);
  }

  bool is_empty_text(const Part& part) const {
    if (part.kind != PartKind::text && part.kind != PartKind::refusal) return false;
    if (part.text.empty()) return !part.opaque;
    return target_ == Protocol::claude && wire::is_blank(part.text) && !part.opaque;
  }

  // N1, N2.
  void drop_empty_parts() {
    size_t segments = 0;
    for (const auto& segment : request_.system) {
      if (!wire::is_blank(segment.text)) request_.system[segments++] = segment;
    }
    request_.system.truncate(segments);
    List<Message> kept;
    for (auto& message : request_.messages) {
      List<Part> parts;
      bool all_kept = true;
      for (auto& part : message.parts) {
        bool drop = is_empty_text(part) ||
                    (part.kind == PartKind::reasoning && part.text.empty() && !part.opaque);
        if (drop) {
          if (!part.text.empty()) losses_.dropped(part.at, "text of white space only");
          if (all_kept) {
            for (const auto& earlier : message.parts) {
              if (&earlier == &part) break;
              parts.push(arena_, earlier);
            }
            all_kept = false;
          }
        } else if (!all_kept) {
          parts.push(arena_, part);
        }
      }
      if (!all_kept) message.parts = parts;
      if (!message.parts.empty()) kept.push(arena_, message);
    }
    request_.messages = kept;
  }

  // Calls of one turn in several assistant messages in a row: results could not follow each.
  void join_assistant_turns() {
    List<Message> out;
    for (auto& message : request_.messages) {
      if (!out.empty() && message.role == Role::assistant && out.back().role == Role::assistant &&
          (has_calls(out.back()) || merging())) {
        for (const auto& part : message.parts) out.back().parts.push(arena_, part);
      } else {
        out.push(arena_, message);
      }
    }
    request_.messages = out;
  }

  // N3 to N6: each assistant message with calls is followed by one message with its results in
  // order; results without a call become text.
  void pair_results() {
    bool any = false;
    for (const auto& message : request_.messages) {
      any = any || has_calls(message) || has_results(message);
    }
    if (!any) return;
    List<Message> out;
    size_t i = 0;
    auto& messages = request_.messages;
    while (i < messages.size()) {
      auto& message = messages[i];
      if (message.role != Role::assistant || !has_calls(message)) {
        out.push(arena_, without_orphans(message));
        ++i;
        continue;
      }
      out.push(arena_, message);
      std::unordered_map<std::string_view, size_t> position;
      List<Part> calls;
      for (auto& part : message.parts) {
        if (part.kind != PartKind::call) continue;
        position.emplace(part.call->id, calls.size());
        calls.push(arena_, part);
      }
      auto results = arena_.array<Part>(calls.size());
      auto have = arena_.array<bool>(calls.size());
      if (arena_.exhausted()) return;  // positions would not fit; the caller refuses the request
      List<Message> rest;
      size_t j = i + 1;
      for (; j < messages.size() && messages[j].role != Role::assistant; ++j) {
        auto& following = messages[j];
        Message other = following;
        other.parts = List<Part>();
        for (auto& part : following.parts) {
          if (part.kind != PartKind::result) {
            other.parts.push(arena_, part);
            continue;
          }
          auto found = position.find(part.result->id);
          if (found == position.end()) {
            degrade_orphan(part, other.parts);
          } else if (!have[found->second]) {
            have[found->second] = true;
            results[found->second] = part;
          } else {
            append_result(*results[found->second].result, *part.result, part.at);
          }
        }
        if (!other.parts.empty()) rest.push(arena_, other);
      }
      Message answers;
      answers.role = Role::user;
      answers.at = i + 1 < messages.size() ? messages[i + 1].at : message.at;
      for (size_t k = 0; k < calls.size(); ++k) {
        auto& part = results[k];
        if (!have[k]) part = missing_result(calls[k]);
        part.result->name = calls[k].call->name;
        part.result->custom = calls[k].call->kind == Call::Kind::custom;
        answers.parts.push(arena_, part);
      }
      out.push(arena_, answers);
      for (const auto& other : rest) out.push(arena_, other);
      i = j;
    }
    request_.messages = out;
  }

  Part missing_result(const Part& call) {
    Part part;
    part.kind = PartKind::result;
    part.at = call.at;
    part.result = wire::make<ToolResult>(arena_);
    part.result->id = call.call->id;
    part.result->error = true;
    part.result->synthesised = true;
    part.result->parts.push(arena_, text_part(kNotExecuted, call.at));
    losses_.synthesised(call.at, "result of a tool call that has none");
    return part;
  }

  void append_result(ToolResult& to, const ToolResult& from, const Path* at) {
    for (const auto& part : from.parts) to.parts.push(arena_, part);
    to.error = to.error || from.error;
    losses_.changed(at, "second result of one tool call joined to the first");
  }

  // N4.
  void degrade_orphan(const Part& part, List<Part>& out) {
    losses_.changed(part.at, "tool result without a call became text");
    std::string text = "[tool result ";
    text += part.result->id;
    text += "]\n";
    bool first = true;
    for (const auto& piece : part.result->parts) {
      if (piece.kind != PartKind::text) continue;
      if (!first) text += '\n';
      text += piece.text;
      first = false;
    }
    out.push(arena_, text_part(arena_.copy(text), part.at));
    for (const auto& piece : part.result->parts) {
      if (piece.kind != PartKind::text) out.push(arena_, piece);
    }
  }

  Message without_orphans(const Message& message) {
    if (!has_results(message)) return message;
    Message out = message;
    out.parts = List<Part>();
    for (const auto& part : message.parts) {
      if (part.kind == PartKind::result) {
        degrade_orphan(part, out.parts);
      } else {
        out.parts.push(arena_, part);
      }
    }
    return out;
  }

  // System text in the middle (2.0.2).
  void place_system_messages() {
    if (!merging()) return;
    bool any = false;
    for (const auto& message : request_.messages) any = any || message.role == Role::system;
    if (!any) return;
    // Neighbours first, so that placement is judged on what will be sent.
    List<Message> joined;
    for (auto& message : request_.messages) {
      if (message.role == Role::system && !joined.empty() && joined.back().role == Role::system) {
        for (const auto& part : message.parts) joined.back().parts.push(arena_, part);
      } else {
        joined.push(arena_, message);
      }
    }
    bool keeps = target_ == Protocol::claude && profile_.cl_mid_system;
    for (size_t i = 0; i < joined.size(); ++i) {
      auto& message = joined[i];
      if (message.role != Role::system) continue;
      bool after_user = i > 0 && joined[i - 1].role == Role::user;
      bool last = i + 1 == joined.size() || joined[i + 1].role == Role::assistant;
      if (keeps && after_user && last) continue;
      auto text = system_as_user_text(message, arena_);
      losses_.changed(message.at, "system text in the middle became user text");
      auto part = text_part(text, message.at);
      if (!message.parts.empty()) part.cache = message.parts.back().cache;
      message = message_of(Role::user, part, arena_, message.at);
    }
    request_.messages = joined;
  }

  // N7.
  void merge_roles() {
    List<Message> out;
    for (auto& message : request_.messages) {
      bool same = !out.empty() && out.back().role == message.role;
      // Gemini counts the parts of a content that answers calls: such a content stays alone.
      if (same && target_ == Protocol::gemini &&
          (has_results(message) || has_results(out.back()))) {
        same = false;
      }
      if (same) {
        for (const auto& part : message.parts) out.back().parts.push(arena_, part);
      } else {
        out.push(arena_, message);
      }
    }
    request_.messages = out;
  }

  // N8.
  void first_turn() {
    auto& messages = request_.messages;
    if (messages.empty() || messages[0].role == Role::user) return;
    losses_.synthesised(messages[0].at, "first turn: the upstream wants the user to begin");
    auto start =
        message_of(Role::user, text_part(kConversationStart, nullptr), arena_, messages[0].at);
    messages.insert(arena_, 0, start);
  }

  // N9.
  void last_turn() {
    auto& messages = request_.messages;
    if (messages.empty() || messages.back().role != Role::assistant) return;
    auto& last = messages.back();
    if (target_ == Protocol::claude) {
      auto& part = last.parts.back();
      if (part.kind == PartKind::text) {
        auto text = part.text;
        while (!text.empty() && wire::is_blank(text.substr(text.size() - 1))) {
          text.remove_suffix(1);
        }
        if (text.size() != part.text.size()) {
          losses_.add(part.at, {}, LossAction::changed, "trailing white space of a prefill",
                      /*harmless=*/true);
        }
        part.text = text;
      }
      if (profile_.cl_prefill) return;
    }
    losses_.synthesised(last.at, "user turn after the assistant's last: no prefill upstream");
    messages.push(arena_, message_of(Role::user, text_part(kContinue, nullptr), arena_, last.at));
  }

  void never_empty() {
    if (!request_.messages.empty()) return;
    // Chat takes a request of system text alone.
    if (target_ == Protocol::openai_chat && !request_.system.empty()) return;
    losses_.synthesised(nullptr, "user message: the upstream wants one", "messages");
    request_.messages.push(arena_,
                           message_of(Role::user, text_part(kEmptyUser, nullptr), arena_, nullptr));
  }

  Request& request_;
  const Protocol target_;
  const Profile& profile_;
  Arena& arena_;
  LossLog& losses_;
};

}  // namespace

std::string_view system_as_user_text(const Message& message, Arena& arena) {
  std::string text = "<system>\n";
  bool first = true;
  for (const auto& part : message.parts) {
    if (part.kind != PartKind::text) continue;
    if (!first) text += "\n\n";
    text += part.text;
    first = false;
  }
  text += "\n</system>";
  return arena.copy(text);
}

void repair(Request& request, Protocol target, const Profile& profile, Arena& arena,
            LossLog& losses) {
  Repair(request, target, profile, arena, losses).run();
}

namespace {

// Whether reasoning may go to the target, and whether it is worth it.
bool keeps_reasoning(const Part& part, Protocol target, const Profile& profile) {
  bool native = part.opaque.proto == target;
  if (native && !part.opaque.family.empty() && !profile.family.empty() &&
      part.opaque.family != profile.family) {
    native = false;
  }
  bool replay = target == Protocol::openai_chat && profile.oa_reasoning_replay && !part.redacted &&
                !part.text.empty();
  return native || replay;
}

std::string_view fenced(const Part& part, Arena& arena) {
  std::string_view language = part.kind == PartKind::code ? part.name : std::string_view("output");
  std::string_view newline = part.text.empty() || part.text.back() == '\n' ? "" : "\n";
  return arena.concat({"\n```", language, "\n", part.text, newline, "```\n"});
}

// What the assistant's history cannot hold upstream: its place stays, so that turns keep their
// order.
void omit_media(Part& part, Arena& arena, LossLog& losses) {
  if (part.kind == PartKind::document) {
    if (auto text = text_of_document(*part.media, arena)) {
      losses.changed(part.at, "document became text");
      part.text = document_text(part.media->name, *text, arena);
      part.kind = PartKind::text;
      return;
    }
  }
  std::string_view what = part.kind == PartKind::image   ? "[image omitted]"
                          : part.kind == PartKind::audio ? "[audio omitted]"
                          : part.kind == PartKind::video ? "[video omitted]"
                                                         : "[document omitted]";
  losses.dropped(part.at, "the assistant's history takes no media upstream");
  part.text = what;
  part.kind = PartKind::text;
}

}  // namespace

void filter_parts(Request& request, Protocol target, const Profile& profile, Arena& arena,
                  LossLog& losses) {
  for (auto& message : request.messages) {
    size_t kept = 0;
    for (size_t i = 0; i < message.parts.size(); ++i) {
      auto part = message.parts[i];
      switch (part.kind) {
        case PartKind::reasoning:
          if (!keeps_reasoning(part, target, profile)) {
            losses.dropped(part.at, "reasoning that the upstream could not check");
            continue;
          }
          break;
        case PartKind::server:
        case PartKind::raw:
          if (request.origin != target) {
            losses.dropped(part.at, "no such content upstream");
            continue;
          }
          break;
        case PartKind::code:
        case PartKind::code_result:
          if (target == Protocol::gemini) break;
          losses.changed(part.at, "code run by the model became text");
          part.text = fenced(part, arena);
          part.kind = PartKind::text;
          break;
        case PartKind::image:
        case PartKind::audio:
        case PartKind::video:
        case PartKind::document:
          if (message.role == Role::assistant && target != Protocol::gemini) {
            omit_media(part, arena, losses);
          }
          break;
        case PartKind::call:
          if (part.call->signature && part.call->signature.proto != target) {
            if (request.origin == Protocol::gemini) {
              losses.dropped(part.at, "reasoning that the upstream could not check",
                             "thoughtSignature");
            }
            part.call->signature = Opaque();
          }
          break;
        default:
          break;
      }
      if (part.kind != PartKind::reasoning && part.opaque && part.opaque.proto != target) {
        part.opaque = Opaque();
      }
      message.parts[kept++] = part;
    }
    message.parts.truncate(kept);
  }
}

}  // namespace gproxy::translate
