// The libcurl that is loaded, for --version. Any thread.
#pragma once

#include <string>

namespace gproxy::upstream {
std::string library_version();  // "libcurl 7.88.1 (OpenSSL/3.0.20, nghttp2/1.52.0)"
}
