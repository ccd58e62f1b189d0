// A request's header list in libcurl's form, built by hand in one piece of memory that is used
// again for the next request: libcurl's own builder would allocate twice per header. Owned by a
// transfer.
#pragma once

#include <curl/curl.h>

#include <cstddef>
#include <memory>
#include <span>

#include "http/headers.h"

namespace gproxy::upstream {

class HeaderBlock {
 public:
  // The list is valid until the next build(). Null when a header cannot be sent: its name is no
  // token or its value holds a line break. libcurl's own additions (Accept, Content-Type) are
  // switched off: what is given is the complete set, but for Accept-Encoding: identity, which is
  // added.
  //
  // `body_bytes` is the length of the request's body. Above 1 MiB libcurl would ask the upstream to
  // say "continue" first (RFC 9110, 10.1.1) and wait for it; many never do, so it is not asked.
  curl_slist* build(std::span<const http::HeaderView> headers, size_t body_bytes);
  // Gives the memory back when it is larger than what requests usually need.
  void shrink();

 private:
  std::unique_ptr<char[]> memory_;
  size_t capacity_ = 0;
};

}  // namespace gproxy::upstream
