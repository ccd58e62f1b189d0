#include "upstream/url_cache.h"

#include <functional>

namespace gproxy::upstream {
namespace {

constexpr size_t kMaxUrlBytes = 64 * 1024;

Error url_error(std::string what) {
  return Error{ErrorKind::server, "bad_upstream_url", std::move(what), "url"};
}

std::string part(CURLU* url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, which, &text, flags) != CURLUE_OK || text == nullptr) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

Result<std::shared_ptr<const ParsedUrl>> parse(const std::string& text) {
  auto parsed = std::make_shared<ParsedUrl>();
  parsed->handle.reset(curl_url());
  if (parsed->handle == nullptr) return url_error("out of memory");
  CURLU* url = parsed->handle.get();
  // Paths go out as they were written: "..", "%2F" and the like are the provider's business.
  if (const CURLUcode code = curl_url_set(url, CURLUPART_URL, text.c_str(), CURLU_PATH_AS_IS);
      code != CURLUE_OK) {
    return url_error(std::string("the upstream url is not valid: ") + curl_url_strerror(code));
  }
  const std::string scheme = part(url, CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") {
    return url_error("the upstream url must begin with http:// or https://");
  }
  parsed->tls = scheme == "https";
  parsed->origin_hash = std::hash<std::string>{}(scheme + part(url, CURLUPART_HOST) +
                                                 part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT));
  return std::shared_ptr<const ParsedUrl>(std::move(parsed));
}

}  // namespace

Result<std::shared_ptr<const ParsedUrl>> UrlCache::find(std::string_view url) {
  if (const auto it = by_text_.find(url); it != by_text_.end()) {
    entries_.splice(entries_.begin(), entries_, it->second);
    return it->second->url;
  }
  if (url.size() > kMaxUrlBytes) return url_error("the upstream url is longer than 65536 bytes");
  ++parsed_;
  std::string text(url);
  GP_TRY(auto parsed, parse(text));
  if (capacity_ == 0) return parsed;
  if (entries_.size() >= capacity_) {
    by_text_.erase(entries_.back().text);
    entries_.pop_back();
  }
  entries_.push_front({std::move(text), parsed});
  by_text_.emplace(entries_.front().text, entries_.begin());
  return parsed;
}

Result<std::shared_ptr<const ParsedUrl>> UrlCache::with_query(std::string_view url,
                                                              std::string_view secret_query) {
  GP_TRY(const auto base, find(url));
  while (!secret_query.empty() && (secret_query.front() == '?' || secret_query.front() == '&')) {
    secret_query.remove_prefix(1);
  }
  // Parsed anew from the whole text: setting a part would rewrite the case of its escapes.
  std::string text(url.substr(0, url.find('#')));
  text += text.find('?') == std::string::npos ? '?' : '&';
  text += secret_query;
  auto parsed = std::make_shared<ParsedUrl>();
  parsed->tls = base->tls;
  parsed->origin_hash = base->origin_hash;
  parsed->handle.reset(curl_url());
  if (parsed->handle == nullptr) return url_error("out of memory");
  if (curl_url_set(parsed->handle.get(), CURLUPART_URL, text.c_str(), CURLU_PATH_AS_IS) !=
      CURLUE_OK) {
    return url_error("the upstream url's secret query is not valid");
  }
  return std::shared_ptr<const ParsedUrl>(std::move(parsed));
}

}  // namespace gproxy::upstream
