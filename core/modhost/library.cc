#include "modhost/library.h"

// uv_dlopen binds lazily: a module with an undefined symbol would then take the process down in the
// middle of a request instead of being refused at load. Hence dlfcn.h, here alone.
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "gproxy/abi.h"
#include "modhost/abi_check.h"

namespace gproxy::modhost {
namespace {

constexpr const char* kNextEntry = "gproxy_entry_2";
constexpr size_t kMaxModuleBytes = size_t{64} << 20;

Error refused(const std::string& path, std::string why) {
  return Error{ErrorKind::server, "module_refused", fmt::format("{}: {}", path, why), {}};
}

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

std::string error_text(int error) {
  return std::strerror(error);
}

// Judged on the descriptor, so that the file judged is the file read.
Result<void> check_file(const struct stat& st, const std::string& path) {
  if (!S_ISREG(st.st_mode)) return refused(path, "not a regular file");
  if (st.st_uid != 0 && st.st_uid != ::geteuid()) {
    return refused(
        path, fmt::format("owned by uid {}, must be root's or uid {}'s", st.st_uid, ::geteuid()));
  }
  if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return refused(
        path, fmt::format("writable by others (mode {:04o}); chmod go-w it", st.st_mode & 07777U));
  }
  if (static_cast<size_t>(st.st_size) > kMaxModuleBytes) {
    return refused(path,
                   fmt::format("{} bytes, a module may have {}", st.st_size, kMaxModuleBytes));
  }
  if (st.st_size < 64) return refused(path, "not a shared library");
  return ok();
}

Result<int> sealed_copy(int source, size_t size, const std::string& path) {
  Fd memory(::memfd_create("gproxy-module", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory.ok()) return refused(path, "no memory file: " + error_text(errno));
  char block[64 * 1024];
  size_t copied = 0;
  for (;;) {
    auto n = ::read(source, block, sizeof block);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return refused(path, "cannot be read: " + error_text(errno));
    if (n == 0) break;
    copied += static_cast<size_t>(n);
    if (copied > kMaxModuleBytes) return refused(path, "grew while it was read");
    for (ssize_t at = 0; at < n;) {
      auto w = ::write(memory.get(), block + at, static_cast<size_t>(n - at));
      if (w < 0 && errno == EINTR) continue;
      if (w <= 0) return refused(path, "no memory for its copy: " + error_text(errno));
      at += w;
    }
  }
  if (copied != size) return refused(path, "changed while it was read");
  if (::fcntl(memory.get(), F_ADD_SEALS,
              F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
    return refused(path, "its copy cannot be sealed: " + error_text(errno));
  }
  return memory.release();
}

// A file that was cut off, as a copy that is still being written is, has its head: the linker would
// map what is missing and the process would die of SIGBUS. So every part that is to be mapped must
// be there. What is no shared library of this machine is left to the linker, which says why.
Result<void> check_image(int copy, size_t size, const std::string& path) {
  Elf64_Ehdr head;
  if (::pread(copy, &head, sizeof head, 0) != static_cast<ssize_t>(sizeof head)) return ok();
  if (std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0) return ok();
  if (head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_type != ET_DYN) return ok();
  const auto cut_off = [&] {
    return refused(path, fmt::format("the file is cut off or damaged: {} bytes are not all", size));
  };
  if (head.e_phentsize != sizeof(Elf64_Phdr) || head.e_phoff > size) return cut_off();
  for (size_t i = 0; i < head.e_phnum; ++i) {
    Elf64_Phdr part;
    const auto at = static_cast<off_t>(head.e_phoff + i * sizeof part);
    if (::pread(copy, &part, sizeof part, at) != static_cast<ssize_t>(sizeof part))
      return cut_off();
    if (part.p_type != PT_LOAD && part.p_type != PT_DYNAMIC) continue;
    if (part.p_filesz > size || part.p_offset > size - part.p_filesz) return cut_off();
  }
  return ok();
}

FileId id_of(const struct stat& st) {
  return {st.st_dev, st.st_ino, static_cast<uint64_t>(st.st_size),
          int64_t{st.st_ctim.tv_sec} * 1'000'000'000 + st.st_ctim.tv_nsec};
}

std::string link_name(int fd) {
  return fmt::format("/proc/self/fd/{}", fd);
}

// The linker's own words, with the file's name instead of the copy's.
std::string linker_error(const std::string& copy) {
  const char* text = ::dlerror();
  std::string words = text != nullptr ? text : "unknown error";
  if (words.starts_with(copy + ": ")) words.erase(0, copy.size() + 2);
  return words;
}

}  // namespace

std::optional<FileId> file_id(const std::string& path) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return std::nullopt;
  return id_of(st);
}

Result<std::unique_ptr<Library>> Library::open(const std::string& path) {
  // O_NONBLOCK: a FIFO in the folder must not hold the process.
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.ok()) return refused(path, "cannot be opened: " + error_text(errno));
  struct stat st {};
  if (::fstat(file.get(), &st) != 0) return refused(path, error_text(errno));
  GP_CHECK(check_file(st, path));
  GP_TRY(int copy, sealed_copy(file.get(), static_cast<size_t>(st.st_size), path));

  std::unique_ptr<Library> library(new Library);
  library->path_ = path;
  library->file_ = id_of(st);
  // The copy's descriptor stays open as long as the library: the linker compares names before it
  // looks at files, so a second module that got the same descriptor number would be given the first
  // one.
  library->memory_fd_ = copy;
  GP_CHECK(check_image(copy, static_cast<size_t>(st.st_size), path));
  auto name = link_name(copy);
  library->handle_ = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library->handle_ == nullptr) return refused(path, "does not link: " + linker_error(name));

  auto* symbol = ::dlsym(library->handle_, GP_ENTRY_SYMBOL);
  if (symbol == nullptr) {
    if (::dlsym(library->handle_, kNextEntry) != nullptr) {
      return refused(path,
                     fmt::format("made for module ABI 2 alone ({}), this gproxy speaks {}: it "
                                 "needs a newer gproxy",
                                 kNextEntry, host_abi_version()));
    }
    return refused(
        path, "not a gproxy module: looked for the symbol " GP_ENTRY_SYMBOL " and did not find it");
  }
  using EntryFunction = const gp_entry* (*)();
  library->entry_ = reinterpret_cast<EntryFunction>(symbol)();
  return library;
}

Library::~Library() {
  if (handle_ != nullptr) {
    ::dlclose(handle_);
    // A library that its own symbols pin stays linked; then its name must not come up again either.
    auto name = link_name(memory_fd_);
    if (void* still = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD)) {
      ::dlclose(still);
      return;
    }
  }
  if (memory_fd_ >= 0) ::close(memory_fd_);
}

}  // namespace gproxy::modhost
