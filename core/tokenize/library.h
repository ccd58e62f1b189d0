// The vocabularies that a process has loaded: the built-in encodings, files in the data directory,
// and what was fetched. Loaded when first needed, on the thread pool, once however many ask; shared
// by all workers; bounded, the least recently used go first (counts under way keep theirs). Any
// thread; owned by the gateway's shared state.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "tokenize/tokenizer_json.h"

namespace gproxy::tokenize {

enum class Origin : uint8_t { encoding, file, url };

using TokenizerPtr = std::shared_ptr<const Tokenizer>;

class Library {
 public:
  explicit Library(size_t max_bytes = size_t{64} << 20) : max_bytes_(max_bytes) {}

  // Files lie in <data_dir>/tokenizers, fetched ones in <data_dir>/cache/tokenizers. Empty: there
  // are none. Before any other thread knows this.
  void set_data_dir(std::string data_dir) { data_dir_ = std::move(data_dir); }

  // What is loaded and need not be looked at again, else null.
  TokenizerPtr find(Origin origin, std::string_view name, int64_t now_ms);

  // Loads it; blocks, for the thread pool. Errors: unknown_encoding; tokenizer_missing (there is no
  // such file, or it was never fetched); invalid_tokenizer; tokenizer_too_large.
  Result<TokenizerPtr> load(Origin origin, std::string_view name, int64_t now_ms);

  // Stores what was fetched from `url` (checked by reading it first), for load(); blocks.
  Result<void> keep(std::string_view url, std::string_view bytes);
  // For a minute nothing more is tried with it: failed_lately() while that lasts. load() does so
  // for files.
  void note_failure(Origin origin, std::string_view name, int64_t now_ms);
  bool failed_lately(Origin origin, std::string_view name, int64_t now_ms);

  size_t bytes() const;

  static constexpr size_t kMaxFile = size_t{32} << 20;
  static constexpr int64_t kFreshMs = 60'000;  // files are looked at again after this
  static constexpr int64_t kFailureMs = 60'000;

 private:
  struct Slot {
    std::mutex loading;
    // Under the library's mutex:
    TokenizerPtr tokenizer;
    size_t bytes = 0;
    int64_t fresh_until_ms = 0;
    int64_t used_ms = 0;
    int64_t failed_until_ms = 0;
    // Under `loading`: of the file that was read.
    int64_t changed_ns = 0;
    size_t size = 0;
  };
  std::shared_ptr<Slot> slot(Origin origin, std::string_view name);
  std::string path(Origin origin, std::string_view name) const;
  Result<TokenizerPtr> load_file(Slot& slot, const std::string& path);
  void evict(const Slot* keep);

  const size_t max_bytes_;
  std::string data_dir_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Slot>> slots_;
};

}  // namespace gproxy::tokenize
