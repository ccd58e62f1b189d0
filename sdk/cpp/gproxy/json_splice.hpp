// SPDX-License-Identifier: MIT
//
// Edits of a JSON request body as splices: what is not edited is never copied or parsed. Lives for
// one prepare; everything it makes is in the arena.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "gproxy/base.hpp"

namespace gp {

// `text` as a JSON string with quotes. Text must be UTF-8.
inline std::string_view json_quote(const Arena& arena, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  char* out = static_cast<char*>(arena.bytes(text.size() * 6 + 2, 1));
  char* p = out;
  *p++ = '"';
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      *p++ = '\\';
      *p++ = c;
    } else if (byte < 0x20) {
      *p++ = '\\';
      if (c == '\n') {
        *p++ = 'n';
      } else if (c == '\t') {
        *p++ = 't';
      } else if (c == '\r') {
        *p++ = 'r';
      } else {
        for (char digit : {'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]}) *p++ = digit;
      }
    } else {
      *p++ = c;
    }
  }
  *p++ = '"';
  return {out, static_cast<size_t>(p - out)};
}

class BodyEdit {
 public:
  BodyEdit(const Arena& arena, std::string_view body) : arena_(arena), body_(body) {}

  bool empty() const { return edits_.empty(); }

  // The value (or any part) at `at`. Edits may come in any order but must not overlap.
  void replace(size_t at, size_t len, std::string_view text) {
    edits_.push_back({at, len, text, edits_.size()});
  }
  void replace(const gp_span& span, std::string_view text) { replace(span.at, span.len, text); }

  // Puts `"key":value` first into the object whose '{' stands at `object_at`. `member` is that
  // text.
  void insert_member(size_t object_at, std::string_view member) {
    replace(object_at + 1, 0, object_is_empty(object_at) ? member : arena_.concat({member, ","}));
  }

  // Takes one member or element out, with the comma that belongs to it. from/to enclose the member
  // ("key":value) or element. Only one of neighbouring members may be removed this way; for several
  // use remove_run.
  void remove_member(size_t from, size_t to) { remove_run(from, to); }

  // The same for a run of neighbouring members, from the first's start to the last's end.
  void remove_run(size_t from, size_t to) {
    size_t after = skip_space(to);
    if (after < body_.size() && body_[after] == ',') {
      replace(from, skip_space(after + 1) - from, {});
      return;
    }
    size_t before = from;
    while (before > 0 && is_space(body_[before - 1])) --before;
    if (before > 0 && body_[before - 1] == ',') {
      replace(before - 1, to - before + 1, {});
    } else {
      replace(from, to - from, {});
    }
  }

  // Fills the upstream's splices, or its body where there are too many of them. False: edits
  // overlap.
  bool finish(gp_upstream& out) {
    if (edits_.empty()) return true;
    std::sort(edits_.begin(), edits_.end(), [](const Edit& a, const Edit& b) {
      return a.at != b.at ? a.at < b.at : a.order < b.order;
    });
    gp_splice* splices = arena_.array<gp_splice>(edits_.size());
    size_t count = 0;
    for (const Edit& edit : edits_) {
      if (edit.at > body_.size() || edit.remove > body_.size() - edit.at) return false;
      if (count > 0) {
        gp_splice& last = splices[count - 1];
        const size_t end = last.at + last.remove;
        if (edit.at < end) return false;
        if (edit.at == end && (last.remove == 0 || edit.remove == 0)) {  // touching: one splice
          last.insert = str(arena_.concat({view(last.insert), edit.text}));
          last.remove += edit.remove;
          continue;
        }
      }
      splices[count++] = {edit.at, edit.remove, str(edit.text)};
    }
    if (count > GP_MAX_SPLICES) {
      out.body = str(applied(std::span<const gp_splice>(splices, count)));
      return true;
    }
    out.splices = splices;
    out.splice_count = count;
    return true;
  }

 private:
  struct Edit {
    size_t at, remove;
    std::string_view text;
    size_t order;
  };

  static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
  size_t skip_space(size_t at) const {
    while (at < body_.size() && is_space(body_[at])) ++at;
    return at;
  }
  bool object_is_empty(size_t object_at) const {
    const size_t at = skip_space(object_at + 1);
    return at >= body_.size() || body_[at] == '}';
  }
  std::string_view applied(std::span<const gp_splice> splices) const {
    std::vector<std::string_view> parts;
    size_t from = 0;
    for (const gp_splice& splice : splices) {
      parts.push_back(body_.substr(from, splice.at - from));
      parts.push_back(view(splice.insert));
      from = splice.at + splice.remove;
    }
    parts.push_back(body_.substr(from));
    return arena_.concat(std::span<const std::string_view>(parts));
  }

  const Arena& arena_;
  std::string_view body_;
  std::vector<Edit> edits_;
};

}  // namespace gp
