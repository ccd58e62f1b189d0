#include "translate/loss.h"

#include <functional>

#include "base/json.h"

namespace gproxy::translate {

std::string_view name(LossAction action) {
  switch (action) {
    case LossAction::dropped:
      return "dropped";
    case LossAction::changed:
      return "changed";
    case LossAction::synthesised:
      return "synthesised";
  }
  return "dropped";
}

std::string generic_path(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  for (size_t i = 0; i < path.size(); ++i) {
    out += path[i];
    if (path[i] != '[') continue;
    size_t end = i + 1;
    while (end < path.size() && path[end] >= '0' && path[end] <= '9') ++end;
    if (end < path.size() && path[end] == ']') i = end - 1;
  }
  return out;
}

void LossLog::add(const Path* at, std::string_view suffix, LossAction action,
                  std::string_view reason, bool harmless) {
  if (entries_.size() >= kMaxEntries && has_blocking_) {
    ++total_;  // nothing more to learn: do not even build the path
    return;
  }
  add_text(path_text(at, suffix), action, reason, harmless);
}

void LossLog::add_text(std::string path, LossAction action, std::string_view reason,
                       bool harmless) {
  ++total_;
  if (path.size() > kMaxPathBytes) {
    size_t end = kMaxPathBytes;
    while (end > 0 && (static_cast<unsigned char>(path[end]) & 0xC0) == 0x80) --end;
    path.resize(end);
  }
  if (!harmless && !has_blocking_) {
    has_blocking_ = true;
    first_blocking_ = Loss{path, action, reason, false};
  }
  if (entries_.size() >= kMaxEntries) return;
  size_t generic = std::hash<std::string>{}(generic_path(path)) + static_cast<size_t>(action);
  size_t same = 0;
  for (size_t hash : generic_hashes_) same += hash == generic ? 1 : 0;
  if (same >= kMaxPerPath) return;
  generic_hashes_.push_back(generic);
  entries_.push_back(Loss{std::move(path), action, reason, harmless});
}

const Loss* LossLog::blocking() const {
  return has_blocking_ ? &first_blocking_ : nullptr;
}

std::string LossLog::header(size_t max_bytes) const {
  std::string out;
  size_t shown = 0;
  size_t candidates = 0;
  for (const auto& entry : entries_) {
    if (entry.harmless || entry.action == LossAction::synthesised) continue;
    ++candidates;
    std::string word = entry.action == LossAction::changed ? "changed:" : "";
    for (char c : entry.path) {
      auto u = static_cast<unsigned char>(c);
      word += u > 0x20 && u < 0x7F && c != ',' ? c : '_';
    }
    if (out.size() + word.size() + 12 > max_bytes) continue;
    if (!out.empty()) out += ", ";
    out += word;
    ++shown;
  }
  size_t rest = candidates - shown + (total_ - entries_.size());
  if (rest > 0) {
    if (!out.empty()) out += ", ";
    out += "+" + std::to_string(rest);
  }
  return out;
}

void LossLog::write_json(std::string& out) const {
  for (const auto& entry : entries_) {
    json::Writer writer(out);
    writer.begin_object();
    writer.field("path", entry.path);
    writer.field("action", name(entry.action));
    writer.field("reason", entry.reason);
    writer.end_object();
    out += '\n';
  }
}

}  // namespace gproxy::translate
