// The master key (where it comes from, when one may be made) and the digests of user keys. Used at
// start on the main thread; KeyHasher is immutable and safe on every thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/result.h"
#include "base/secret.h"

namespace gproxy::storage {

// Where the master key is looked for, in this order. All may be empty (an in-memory database then
// lives with a key of its own that nobody keeps).
struct MasterKeySource {
  Secret key;            // GPROXY_MASTER_KEY: 32 bytes as 64 hex digits or base64
  std::string key_file;  // --master-key-file: the same text, or 32 raw bytes; must exist
  std::string data_dir;  // holds the generated file, `master.key`
};

// 32 bytes, or nothing when no source has one. Errors: "bad_master_key", "master_key_unreadable".
Result<std::optional<Secret>> read_master_key(const MasterKeySource& source);

// Makes `<data_dir>/master.key` (0600, flushed to the disk before it is used) and returns its 32
// bytes. Fails when the file exists.
Result<Secret> generate_master_key(const std::string& data_dir);

// The lookup key stands sealed in the database and so outlives a change of the master key.
using gproxy::KeyHasher;

}  // namespace gproxy::storage
