// What a libcurl result means to the gateway. Pure; the texts hold no secret and no URL.
#pragma once

#include <curl/curl.h>

#include <string>
#include <string_view>

#include "upstream/client.h"

namespace gproxy::upstream {

struct TransferFacts {
  long connect_code = 0;  // the proxy's answer to CONNECT, 0 = none
  bool uses_proxy = false;
  bool address_refused = false;  // by the address guard
};

FailureKind classify(CURLcode code, const TransferFacts& facts);

// A line for the log: libcurl's own words when they are safe, else its standard text for the code.
// `secret` is cut out should it ever occur.
std::string failure_message(CURLcode code, std::string_view curl_text, std::string_view secret);

}  // namespace gproxy::upstream
