#include <charconv>
#include <cmath>
#include <cstring>

#include "base/json.h"

namespace gproxy::json {
namespace {

// True when one of the eight bytes must be escaped: < 0x20, '"' or '\'.
bool needs_escape(uint64_t w) {
  constexpr uint64_t kOnes = 0x0101010101010101ull, kHigh = 0x8080808080808080ull;
  const uint64_t quote = w ^ (kOnes * '"'), slash = w ^ (kOnes * '\\');
  // The usual "has a zero byte" and "has a byte below n"; bytes >= 0x80 are cut out by ~w.
  const uint64_t low = (w - kOnes * 0x20) & ~w;
  return (((quote - kOnes) & ~quote) | ((slash - kOnes) & ~slash) | low) & kHigh;
}

bool escaped_alone(unsigned char c) {
  return c < 0x20 || c == '"' || c == '\\';
}

void append_escape(unsigned char c, std::string& out) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default: {
      static constexpr char kHex[] = "0123456789abcdef";
      const char text[6] = {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]};
      out.append(text, 6);
    }
  }
}

void write_indented(const Value& value, std::string& out, size_t depth) {
  const auto line = [&](size_t d) {
    out += '\n';
    out.append(d * 2, ' ');
  };
  if (value.is_array() && !value.empty()) {
    out += '[';
    bool first = true;
    for (const Value& item : value.items()) {
      if (!first) out += ',';
      first = false;
      line(depth + 1);
      write_indented(item, out, depth + 1);
    }
    line(depth);
    out += ']';
  } else if (value.is_object() && !value.empty()) {
    out += '{';
    bool first = true;
    for (const Member& member : value.members()) {
      if (!first) out += ',';
      first = false;
      line(depth + 1);
      write_string(member.key, out);
      out += ": ";
      write_indented(member.value, out, depth + 1);
    }
    line(depth);
    out += '}';
  } else {
    write_to(value, out);
  }
}

}  // namespace

void write_string(std::string_view text, std::string& out) {
  out += '"';
  const char* p = text.data();
  const char* const end = p + text.size();
  const char* run = p;  // not yet copied
  while (p < end) {
    while (end - p >= 8) {
      uint64_t w;
      std::memcpy(&w, p, 8);
      if (needs_escape(w)) break;
      p += 8;
    }
    while (p < end && !escaped_alone(static_cast<unsigned char>(*p))) {
      ++p;
      // After the byte that broke the fast loop, go back to it.
      if (((end - p) & 7) == 0 && end - p >= 8) break;
    }
    if (p < end && escaped_alone(static_cast<unsigned char>(*p))) {
      out.append(run, static_cast<size_t>(p - run));
      append_escape(static_cast<unsigned char>(*p), out);
      run = ++p;
    }
  }
  out.append(run, static_cast<size_t>(end - run));
  out += '"';
}

void write_to(const Value& value, std::string& out) {
  switch (value.kind()) {
    case Kind::null:
      out += "null";
      return;
    case Kind::boolean:
      out += value.as_bool() ? "true" : "false";
      return;
    case Kind::number:
      out += value.number_text();
      return;
    case Kind::string:
      write_string(value.str(), out);
      return;
    case Kind::array: {
      out += '[';
      bool first = true;
      for (const Value& item : value.items()) {
        if (!first) out += ',';
        first = false;
        write_to(item, out);
      }
      out += ']';
      return;
    }
    case Kind::object: {
      out += '{';
      bool first = true;
      for (const Member& member : value.members()) {
        if (!first) out += ',';
        first = false;
        write_string(member.key, out);
        out += ':';
        write_to(member.value, out);
      }
      out += '}';
      return;
    }
  }
}

std::string write(const Value& value) {
  std::string out;
  write_to(value, out);
  return out;
}

std::string write_pretty(const Value& value) {
  std::string out;
  write_indented(value, out, 0);
  out += '\n';
  return out;
}

void Writer::number(double value) {
  if (!std::isfinite(value)) {
    null();
    return;
  }
  comma();
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  out_.append(text, static_cast<size_t>(end - text));
}

}  // namespace gproxy::json
