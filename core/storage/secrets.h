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

// `<data_dir>/master.key`.
std::string generated_key_file(const std::string& data_dir);

// 32 bytes that nobody has had before.
Secret random_master_key();

// Makes generated_key_file() (0600, flushed to the disk before it is used) and returns its 32
// bytes. Fails when the file exists.
Result<Secret> generate_master_key(const std::string& data_dir);

// Writes a key as text, owner-only, on the disk when this returns; what was there is gone. Errors:
// "no_permission", "cannot_create".
Result<void> write_key_file(const std::string& path, const Secret& key);
// Puts `from` in the place of `to`, on the disk when this returns. The same errors.
Result<void> replace_key_file(const std::string& from, const std::string& to);

// The lookup key stands sealed in the database and so outlives a change of the master key.
using gproxy::KeyHasher;

}  // namespace gproxy::storage
