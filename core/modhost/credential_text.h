// Credentials as people have them: vendors' own files and other tools' exports, without the kind's
// tag and with other names for its fields. Brought into the one form that is stored and handed to
// modules. Pure; any thread.
#pragma once

#include "base/arena.h"
#include "base/json.h"
#include "base/secret.h"
#include "modhost/info.h"

namespace gproxy::modhost {

// {"<tag>": {…}} of `secret`: an object without the tag, but with a member that the kind's
// credential schema or its aliases name, is put under it; an alias becomes its field unless that
// stands there too. Everything else is given back as it came, for the checks to speak about. Views
// of `secret` and `arena`. REQUIRES: the kind takes a credential.
json::Value tagged_credential(const KindInfo& kind, const json::Value& schema,
                              const json::Value& secret, Arena& arena);

// The same for a stored text; as it came if it is not JSON or the provider takes no credential.
class Provider;
Secret tagged_credential(const Provider& provider, const Secret& secret_json);

}  // namespace gproxy::modhost
