// From URL text to libcurl's parsed form. Parsing is a third of what libcurl does per request, and
// the URLs of a gateway repeat. Bounded, least recently used first out. One per loop, owned by its
// client.
#pragma once

#include <curl/curl.h>

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"

namespace gproxy::upstream {

struct ParsedUrl {
  struct Free {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
  };
  using Handle = std::unique_ptr<CURLU, Free>;

  Handle handle;
  bool tls = false;
  size_t origin_hash = 0;  // of scheme, host and port
};

class UrlCache {
 public:
  explicit UrlCache(size_t capacity) : capacity_(capacity) {}

  // The error names no part of the URL.
  Result<std::shared_ptr<const ParsedUrl>> find(std::string_view url);
  // The same with `secret_query` appended; the result is never kept here.
  Result<std::shared_ptr<const ParsedUrl>> with_query(std::string_view url,
                                                      std::string_view secret_query);
  size_t size() const { return by_text_.size(); }
  uint64_t parsed() const { return parsed_; }

 private:
  struct Entry {
    std::string text;
    std::shared_ptr<const ParsedUrl> url;
  };
  size_t capacity_;
  uint64_t parsed_ = 0;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_text_;
};

}  // namespace gproxy::upstream
