// SPDX-License-Identifier: MIT
//
// Upstream addresses: joining a base URL and a path, encoding path segments, picking query
// parameters. Pure functions over views; results live in the arena that is given.
#pragma once

#include <initializer_list>
#include <string_view>

#include "gproxy/base.hpp"

namespace gp {

// One path segment, percent-encoded: RFC 3986 unreserved characters and ! $ ' ( ) * + , ; = @ stay,
// and so does ':' unless the caller needs it as a separator.
enum class Colon { keep, encode };

inline std::string_view encode_segment(const Arena& arena, std::string_view text,
                                       Colon colon = Colon::keep) {
  auto plain = [colon](char c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
    if (c == ':') return colon == Colon::keep;
    return c != '\0' && std::string_view("-._~!$'()*+,;=@").find(c) != std::string_view::npos;
  };
  size_t encoded = 0;
  for (char c : text) encoded += plain(c) ? 0 : 1;
  if (encoded == 0) return text;
  static constexpr char kHex[] = "0123456789ABCDEF";
  char* out = static_cast<char*>(arena.bytes(text.size() + 2 * encoded, 1));
  char* p = out;
  for (char c : text) {
    if (plain(c)) {
      *p++ = c;
    } else {
      *p++ = '%';
      *p++ = kHex[static_cast<unsigned char>(c) >> 4];
      *p++ = kHex[static_cast<unsigned char>(c) & 15];
    }
  }
  return {out, static_cast<size_t>(p - out)};
}

// A name or value of a query: RFC 3986 unreserved characters stay.
inline std::string_view encode_query(const Arena& arena, std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  char* out = static_cast<char*>(arena.bytes(text.size() * 3, 1));
  char* p = out;
  for (char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      *p++ = c;
    } else {
      *p++ = '%';
      *p++ = kHex[static_cast<unsigned char>(c) >> 4];
      *p++ = kHex[static_cast<unsigned char>(c) & 15];
    }
  }
  return {out, static_cast<size_t>(p - out)};
}

// An id that may stand in a path. Dot segments would be resolved on the way and reach another
// resource.
inline bool usable_segment(std::string_view id) {
  return !id.empty() && id != "." && id != ".." && id.size() <= 1024;
}

// The base without trailing slashes and the path, "/v1/…" not doubled: if the base ends with one of
// `versions` ("/v1") and the path begins with it, it is taken once. Computed once per instance by
// whoever can: bases do not change.
inline std::string_view without_doubled_version(std::string_view base, std::string_view path,
                                                std::initializer_list<std::string_view> versions) {
  for (std::string_view version : versions) {
    if (base.ends_with(version) && path.starts_with(version) && path.size() > version.size() &&
        path[version.size()] == '/') {
      return path.substr(version.size());
    }
  }
  return path;
}

inline std::string_view without_trailing_slashes(std::string_view base) {
  while (!base.empty() && base.back() == '/') base.remove_suffix(1);
  return base;
}

// base + path [+ more] [+ "?" + query]. `query` is encoded already and may be empty.
inline std::string_view join_url(const Arena& arena, std::string_view base, std::string_view path,
                                 std::string_view query = {},
                                 std::initializer_list<std::string_view> versions = {"/v1"}) {
  base = without_trailing_slashes(base);
  path = without_doubled_version(base, path, versions);
  return arena.concat({base, path, query.empty() ? "" : "?", query});
}

// The parameters of `query` whose names are in `names`, in their order, encoded as they came; bytes
// that no address may hold are encoded.
inline std::string_view pick_query(const Arena& arena, std::string_view query,
                                   std::initializer_list<std::string_view> names) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  char* out = nullptr;
  size_t used = 0;
  size_t at = 0;
  while (at < query.size()) {
    const size_t end = std::min(query.find('&', at), query.size());
    const std::string_view pair = query.substr(at, end - at);
    const std::string_view name = pair.substr(0, pair.find('='));
    at = end + 1;
    if (std::find(names.begin(), names.end(), name) == names.end()) continue;
    if (out == nullptr) out = static_cast<char*>(arena.bytes(query.size() * 3 + 1, 1));
    if (used > 0) out[used++] = '&';
    for (char c : pair) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte > ' ' && byte < 0x7f &&
          std::string_view("\"#<>\\^`{|}").find(c) == std::string_view::npos) {
        out[used++] = c;
        continue;
      }
      out[used++] = '%';
      out[used++] = kHex[byte >> 4];
      out[used++] = kHex[byte & 15];
    }
  }
  return {out, used};
}

// True for what may be a base_url: http or https, a host, no query, no fragment, no user info,
// nothing that is not printable ASCII.
inline bool usable_base_url(std::string_view url) {
  std::string_view rest;
  if (url.starts_with("https://")) {
    rest = url.substr(8);
  } else if (url.starts_with("http://")) {
    rest = url.substr(7);
  } else {
    return false;
  }
  const std::string_view host = rest.substr(0, rest.find('/'));
  if (host.empty() || host.front() == ':') return false;
  for (char c : rest) {
    if (c <= ' ' || c >= 0x7f || c == '?' || c == '#' || c == '@' || c == '\\' || c == '"')
      return false;
  }
  return url.size() <= 2048;
}

}  // namespace gp
