// The seam for translation: a route that says "translate" (or that bridges stream and whole
// answers) ends here until the translators are wired in. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "modhost/routes.h"
#include "translate/protocol.h"

namespace gproxy::gateway {

// Whether a request may be served by this route, and the error that its client gets otherwise.
Result<void> translate_exchange_request(const modhost::Resolved& resolved);

// An upstream's model list in the client's protocol.
Result<std::string> translate_model_list(translate::Protocol client, translate::Protocol upstream,
                                         std::string_view body);

}  // namespace gproxy::gateway
