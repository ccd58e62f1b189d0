#include "storage/secrets.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/base64.h"
#include "base/log.h"
#include "base/strings.h"
#include "storage/dsn.h"

namespace gproxy::storage {
namespace {

constexpr size_t kKeyBytes = 32;
constexpr size_t kMaxKeyFileBytes = 4096;

Error bad_key(std::string message) {
  return Error{ErrorKind::invalid, "bad_master_key", std::move(message)};
}

// 64 hex digits, or base64 of 32 bytes.
std::optional<Secret> decode_key(std::string_view text) {
  text = trim(text);
  std::optional<std::string> bytes;
  if (text.size() == 2 * kKeyBytes) bytes = hex_decode(text);
  if (!bytes) bytes = base64_decode(text);
  if (!bytes || bytes->size() != kKeyBytes) return std::nullopt;
  Secret key{*bytes};
  wipe_memory(bytes->data(), bytes->size());
  return key;
}

// Nothing when the file does not exist.
Result<std::optional<Secret>> read_key_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return std::optional<Secret>();
    return Error{ErrorKind::server, "master_key_unreadable",
                 "cannot read the master key file " + path + ": " + std::strerror(errno)};
  }
  struct stat info {};
  if (::fstat(fd, &info) == 0 && (info.st_mode & 077) != 0) {
    log::warn("the master key file can be read by others", {{"file", path}});
  }
  char bytes[kMaxKeyFileBytes];
  size_t got = 0;
  ssize_t n = 0;
  while (got < sizeof bytes && (n = ::read(fd, bytes + got, sizeof bytes - got)) != 0) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;
    got += static_cast<size_t>(n);
  }
  const int read_error = n < 0 ? errno : 0;
  ::close(fd);
  if (read_error != 0) {
    return Error{ErrorKind::server, "master_key_unreadable",
                 "cannot read the master key file " + path + ": " + std::strerror(read_error)};
  }
  std::optional<Secret> key;
  if (got == kKeyBytes) {
    key = Secret{std::string_view(bytes, got)};
  } else {
    key = decode_key(std::string_view(bytes, got));
  }
  wipe_memory(bytes, sizeof bytes);
  if (!key)
    return bad_key("the master key file " + path + " does not hold 32 bytes, raw, hex or base64");
  return key;
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

Error file_error(const char* what, const std::string& path) {
  return Error{
      ErrorKind::server, errno == EACCES ? "no_permission" : "cannot_create",
      std::string("cannot ") + what + " the master key file " + path + ": " + std::strerror(errno)};
}

void sync_folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  if (const int dir = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); dir >= 0) {
    ::fsync(dir);
    ::close(dir);
  }
}

}  // namespace

Result<std::optional<Secret>> read_master_key(const MasterKeySource& source) {
  if (!source.key.empty()) {
    auto key = decode_key(source.key.reveal());
    if (!key) return bad_key("the master key is not 32 bytes in hex or base64");
    return key;
  }
  if (!source.key_file.empty()) {
    GP_TRY(auto key, read_key_file(source.key_file));
    if (!key) {
      return Error{ErrorKind::server, "master_key_unreadable",
                   "the master key file " + source.key_file + " does not exist"};
    }
    return key;
  }
  if (source.data_dir.empty()) return std::optional<Secret>();
  return read_key_file(generated_key_file(source.data_dir));
}

std::string generated_key_file(const std::string& data_dir) {
  return data_dir + "/master.key";
}

Secret random_master_key() {
  char raw[kKeyBytes];
  random_bytes(raw, sizeof raw);
  Secret key{std::string_view(raw, sizeof raw)};
  wipe_memory(raw, sizeof raw);
  return key;
}

Result<void> write_key_file(const std::string& path, const Secret& key) {
  std::string text = hex_encode(key.reveal()) + "\n";
  ::unlink(path.c_str());
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return file_error("create", path);
  const bool written = write_all(fd, text) && ::fsync(fd) == 0;
  wipe_memory(text.data(), text.size());
  if (!written) {
    auto error = file_error("write", path);
    ::close(fd);
    ::unlink(path.c_str());
    return error;
  }
  ::close(fd);
  sync_folder_of(path);
  return ok();
}

Result<void> replace_key_file(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) return file_error("replace", to);
  sync_folder_of(to);
  return ok();
}

Result<Secret> generate_master_key(const std::string& data_dir) {
  GP_CHECK(create_directories(data_dir));
  const std::string path = generated_key_file(data_dir);
  const std::string temporary = path + ".new";
  Secret key = random_master_key();
  // Whole or not at all: a half-written key would lock the operator out of his own data.
  GP_CHECK(write_key_file(temporary, key));
  // link() refuses to replace a key that came into being meanwhile.
  const bool linked = ::link(temporary.c_str(), path.c_str()) == 0;
  auto error = linked ? Error{} : file_error("create", path);
  ::unlink(temporary.c_str());
  if (!linked) return error;
  sync_folder_of(path);
  return key;
}

}  // namespace gproxy::storage
