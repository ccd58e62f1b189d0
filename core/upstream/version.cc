#include "upstream/version.h"

#include <curl/curl.h>

namespace gproxy::upstream {

std::string library_version() {
  const auto* info = curl_version_info(CURLVERSION_NOW);
  std::string out = "libcurl " + std::string(info->version);
  if (info->ssl_version != nullptr) out += " (" + std::string(info->ssl_version);
  if (info->nghttp2_version != nullptr) out += ", nghttp2/" + std::string(info->nghttp2_version);
  return out + ")";
}

}  // namespace gproxy::upstream
