#include "translate/openai_responses/annotations.h"

#include <algorithm>

#include "translate/answer_common.h"

namespace gproxy::translate::responses {

bool Annotations::has_home(const Citation& citation) {
  return (citation.kind == Citation::Kind::url && !citation.url.empty()) ||
         (citation.kind == Citation::Kind::file && !citation.file_id.empty());
}

bool Annotations::add(uint32_t part, const Citation& citation, size_t begin, size_t end) {
  if (cites_.size() >= kMax) return false;
  Cite cite;
  cite.unit = citation.unit;
  cite.kind = citation.kind;
  cite.part = part;
  cite.begin = begin;
  cite.end = end;
  cite.from = citation.start;
  cite.to = citation.end;
  cite.url = citation.url;
  cite.title = citation.title;
  cite.file_id = citation.file_id;
  if (citation.origin == Protocol::openai_response && citation.kind != Citation::Kind::url) {
    cite.raw = json::write(citation.raw);
  }
  cites_.push_back(std::move(cite));
  return true;
}

void Annotations::part_end(uint32_t part, size_t end) {
  for (auto& cite : cites_) {
    if (cite.part == part) cite.end = end;
  }
}

std::vector<std::string> Annotations::resolve(std::string_view text) {
  std::vector<std::string> out;
  const auto points_at = [text](size_t byte) {
    return static_cast<int64_t>(code_points(text.substr(0, std::min(byte, text.size()))));
  };
  const int64_t last = cites_.empty() ? 0 : points_at(text.size());
  for (const auto& cite : cites_) {
    if (!cite.raw.empty()) {
      out.push_back(cite.raw);
      continue;
    }
    int64_t from = points_at(cite.begin);
    int64_t to = points_at(cite.end);
    if (cite.unit == Citation::Unit::code_points && cite.to >= 0) {
      to = from + cite.to;
      from += std::max<int64_t>(cite.from, 0);
    } else if (cite.unit == Citation::Unit::utf8_bytes && cite.to >= 0) {
      from = points_at(cite.begin + static_cast<size_t>(std::max<int64_t>(cite.from, 0)));
      to = points_at(cite.begin + static_cast<size_t>(cite.to));
    }
    from = std::min(from, last);
    to = std::clamp(to, from, last);
    json::Writer w(out.emplace_back());
    w.begin_object();
    if (cite.kind == Citation::Kind::url) {
      w.field("type", "url_citation");
      w.field("url", cite.url);
      w.field("title", cite.title);
      w.field("start_index", from);
      w.field("end_index", to);
    } else {
      w.field("type", "file_citation");
      w.field("file_id", cite.file_id);
      w.field("filename", cite.title);
      w.field("index", to);
    }
    w.end_object();
  }
  cites_.clear();
  return out;
}

}  // namespace gproxy::translate::responses
