#include "tokenize/library.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <utility>
#include <vector>

#include "base/base64.h"
#include "base/digest.h"
#include "tokenize/pack.h"

namespace gproxy::tokenize {
namespace {

constexpr size_t kMaxSlots = 1024;
// What a tokenizer that is only estimated costs: its slot.
constexpr size_t kSlotBytes = 512;

Error missing() {
  return Error{ErrorKind::not_found, "tokenizer_missing", "there is no such tokenizer", {}};
}

Error too_large() {
  return Error{ErrorKind::too_large,
               "tokenizer_too_large",
               fmt::format("the tokenizer has more than {} MiB", Library::kMaxFile >> 20),
               {}};
}

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_;
};

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

// The folder, with room for one more: models' names come from clients, the disk has an end.
void make_room(const std::filesystem::path& folder) {
  constexpr size_t kMaxKept = 64;
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  std::vector<std::pair<std::filesystem::file_time_type, std::filesystem::path>> kept;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failed)) {
    kept.emplace_back(entry.last_write_time(failed), entry.path());
  }
  std::sort(kept.begin(), kept.end());
  for (size_t i = 0; i + kMaxKept <= kept.size(); ++i)
    std::filesystem::remove(kept[i].second, failed);
}

}  // namespace

std::string Library::path(Origin origin, std::string_view name) const {
  if (data_dir_.empty()) return {};
  if (origin == Origin::file) return fmt::format("{}/tokenizers/{}", data_dir_, name);
  return fmt::format("{}/cache/tokenizers/{}.json", data_dir_,
                     hex_encode(digest_view(sha256(name))));
}

std::shared_ptr<Library::Slot> Library::slot(Origin origin, std::string_view name) {
  std::string key(1, static_cast<char>('0' + static_cast<int>(origin)));
  key += name;
  const std::lock_guard lock(mutex_);
  if (const auto found = slots_.find(key); found != slots_.end()) return found->second;
  // Names may come from clients' models: slots without a tokenizer are not kept without end.
  if (slots_.size() >= kMaxSlots) {
    std::erase_if(slots_, [](const auto& entry) { return entry.second->tokenizer == nullptr; });
    if (slots_.size() >= kMaxSlots) slots_.clear();
  }
  return slots_.emplace(std::move(key), std::make_shared<Slot>()).first->second;
}

TokenizerPtr Library::find(Origin origin, std::string_view name, int64_t now_ms) {
  const auto found = slot(origin, name);
  const std::lock_guard lock(mutex_);
  if (found->tokenizer == nullptr || now_ms > found->fresh_until_ms) return nullptr;
  found->used_ms = now_ms;
  return found->tokenizer;
}

Result<TokenizerPtr> Library::load(Origin origin, std::string_view name, int64_t now_ms) {
  const auto wanted = slot(origin, name);
  const std::lock_guard loading(wanted->loading);
  // Whoever held the lock before may have loaded it.
  if (auto loaded = find(origin, name, now_ms); loaded != nullptr) return loaded;
  TokenizerPtr made;
  if (origin == Origin::encoding) {
    const auto pack = built_in_pack(name);
    if (pack.empty()) {
      return Error{ErrorKind::not_found, "unknown_encoding", "there is no such encoding", {}};
    }
    GP_TRY(auto source, read_pack(pack));
    Tokenizer tokenizer;
    GP_TRY(tokenizer.vocabulary, Vocabulary::make(std::move(source)));
    made = std::make_shared<const Tokenizer>(std::move(tokenizer));
  } else {
    if (origin == Origin::file && failed_lately(origin, name, now_ms)) return missing();
    auto loaded = load_file(*wanted, path(origin, name));
    if (!loaded.ok()) {
      if (origin == Origin::file) note_failure(origin, name, now_ms);
      return std::move(loaded).error();
    }
    made = std::move(*loaded);
  }
  const std::lock_guard lock(mutex_);
  wanted->tokenizer = made;
  wanted->bytes = kSlotBytes + (made->vocabulary != nullptr ? made->vocabulary->bytes() : 0);
  wanted->used_ms = now_ms;
  // What was fetched or built in does not change; an operator's file may.
  wanted->fresh_until_ms =
      origin == Origin::file ? now_ms + kFreshMs : std::numeric_limits<int64_t>::max();
  evict(wanted.get());
  return made;
}

// The one that is loaded, where the file is still the same. REQUIRES: slot.loading is held.
Result<TokenizerPtr> Library::load_file(Slot& slot, const std::string& path) {
  if (path.empty()) return missing();
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat status {};
  if (!file.is_open() || ::fstat(file.fd(), &status) != 0 || !S_ISREG(status.st_mode))
    return missing();
  const auto size = static_cast<size_t>(status.st_size);
  const int64_t changed_ns = status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec;
  if (size > kMaxFile) return too_large();
  {
    const std::lock_guard lock(mutex_);
    if (slot.tokenizer != nullptr && slot.size == size && slot.changed_ns == changed_ns)
      return slot.tokenizer;
  }
  std::string text(size, '\0');
  size_t got = 0;
  while (got < size) {
    const ssize_t n = ::read(file.fd(), text.data() + got, size - got);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    got += static_cast<size_t>(n);
  }
  text.resize(got);
  GP_TRY(auto tokenizer, read_tokenizer_json(text));
  slot.size = size;
  slot.changed_ns = changed_ns;
  return std::make_shared<const Tokenizer>(std::move(tokenizer));
}

Result<void> Library::keep(std::string_view url, std::string_view bytes) {
  if (bytes.size() > kMaxFile) return too_large();
  GP_CHECK(read_tokenizer_json(bytes));
  const auto target = path(Origin::url, url);
  if (target.empty()) return missing();
  make_room(std::filesystem::path(target).parent_path());
  // Written aside and renamed, so that no reader sees half of it.
  const auto aside = target + "." + random_hex(8);
  const auto unwritable = [&] {
    ::unlink(aside.c_str());
    return Error{ErrorKind::server,
                 "tokenizer_not_kept",
                 "the tokenizer cannot be written to the cache",
                 {}};
  };
  {
    const File file(::open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file.is_open() || !write_all(file.fd(), bytes)) return unwritable();
  }
  if (::rename(aside.c_str(), target.c_str()) != 0) return unwritable();
  return ok();
}

void Library::note_failure(Origin origin, std::string_view name, int64_t now_ms) {
  const auto failed = slot(origin, name);
  const std::lock_guard lock(mutex_);
  failed->failed_until_ms = now_ms + kFailureMs;
}

bool Library::failed_lately(Origin origin, std::string_view name, int64_t now_ms) {
  const auto failed = slot(origin, name);
  const std::lock_guard lock(mutex_);
  return now_ms < failed->failed_until_ms;
}

size_t Library::bytes() const {
  const std::lock_guard lock(mutex_);
  size_t total = 0;
  for (const auto& [key, slot] : slots_) total += slot->bytes;
  return total;
}

// REQUIRES: mutex_ is held.
void Library::evict(const Slot* keep) {
  size_t total = 0;
  for (const auto& [key, slot] : slots_) total += slot->bytes;
  while (total > max_bytes_) {
    Slot* oldest = nullptr;
    for (const auto& [key, slot] : slots_) {
      if (slot.get() == keep || slot->bytes == 0) continue;
      if (oldest == nullptr || slot->used_ms < oldest->used_ms) oldest = slot.get();
    }
    if (oldest == nullptr) return;
    total -= oldest->bytes;
    oldest->tokenizer.reset();
    oldest->bytes = 0;
  }
}

}  // namespace gproxy::tokenize
