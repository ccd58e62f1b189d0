#include "base/log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <mutex>

#include "base/clock.h"
#include "base/json.h"
#include "base/strings.h"

namespace gproxy::log {
namespace {

constexpr std::array<std::string_view, 6> kLevels = {"trace", "debug", "info",
                                                     "warn",  "error", "off"};
constexpr size_t kMaxText = 8 * 1024;  // of one value; the rest is cut off

std::atomic<Level> current_level{Level::info};
std::atomic<Format> current_format{Format::text};

struct Sink {
  void (*write)(std::string_view, void*) = nullptr;
  void* context = nullptr;
};
std::mutex sink_mutex;
Sink sink;  // GUARDED_BY(sink_mutex)
std::atomic<bool> has_sink{false};

std::string_view level_name(Level level) {
  return kLevels[static_cast<size_t>(level)];
}

std::string_view bounded(std::string_view text) {
  return text.substr(0, kMaxText);
}

// Text values are quoted when they hold anything that could be taken for structure, so that
// nobody's input can forge a line or a field.
void append_text(std::string_view text, std::string& line) {
  text = bounded(text);
  bool plain = !text.empty();
  for (unsigned char c : text) {
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) plain = false;
  }
  if (plain) {
    line += text;
  } else {
    json::write_string(text, line);
  }
}

struct AppendValue {
  std::string& line;
  Format format;

  void operator()(std::string_view text) const {
    if (format == Format::json) {
      json::write_string(bounded(text), line);
    } else {
      append_text(text, line);
    }
  }
  void operator()(int64_t value) const { fmt::format_to(std::back_inserter(line), "{}", value); }
  void operator()(double value) const {
    if (format == Format::json && !std::isfinite(value)) {
      line += "null";
    } else {
      fmt::format_to(std::back_inserter(line), "{}", value);
    }
  }
  void operator()(bool value) const { line += value ? "true" : "false"; }
};

void emit(std::string_view line) {
  if (has_sink.load(std::memory_order_acquire)) {
    const std::lock_guard lock(sink_mutex);
    if (sink.write != nullptr) {
      sink.write(line, sink.context);
      return;
    }
  }
  // One line, one write: lines of several threads do not mix. A closed or full stderr loses the
  // line.
  while (!line.empty()) {
    const ssize_t n = ::write(STDERR_FILENO, line.data(), line.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    line.remove_prefix(static_cast<size_t>(n));
  }
}

}  // namespace

void configure(Level level, Format format) {
  current_level.store(level, std::memory_order_relaxed);
  current_format.store(format, std::memory_order_relaxed);
}

bool enabled(Level level) {
  return level >= current_level.load(std::memory_order_relaxed) && level != Level::off;
}

bool parse_level(std::string_view text, Level& out) {
  for (size_t i = 0; i < kLevels.size(); ++i) {
    if (iequals(text, kLevels[i])) {
      out = static_cast<Level>(i);
      return true;
    }
  }
  return false;
}

void set_sink(void (*write)(std::string_view, void*), void* context) {
  const std::lock_guard lock(sink_mutex);
  sink = {write, context};
  has_sink.store(write != nullptr, std::memory_order_release);
}

bool is_secret_name(std::string_view name) {
  static constexpr std::string_view kWords[] = {"authorization", "cookie",   "token",  "secret",
                                                "password",      "api-key",  "apikey", "api_key",
                                                "credential",    "signature"};
  if (iequals(name, "key") || iequals(name, "code") || iequals(name, "x-goog-iap-jwt-assertion"))
    return true;
  const std::string lower = to_lower(name);
  for (auto word : kWords) {
    if (lower.find(word) != std::string::npos) return true;
  }
  return false;
}

void write(Level level, std::string_view message, Fields fields) {
  if (!enabled(level)) return;
  const Format format = current_format.load(std::memory_order_relaxed);
  thread_local std::string line;
  line.clear();
  const std::string time = rfc3339(Clock::system().wall_us());
  if (format == Format::json) {
    fmt::format_to(std::back_inserter(line), R"({{"time":"{}","level":"{}","message":)", time,
                   level_name(level));
    json::write_string(bounded(message), line);
    for (const Field& field : fields) {
      line += ',';
      json::write_string(field.key, line);
      line += ':';
      std::visit(AppendValue{line, format}, field.value);
    }
    line += "}\n";
  } else {
    fmt::format_to(std::back_inserter(line), "{} {:5} ", time, level_name(level));
    for (char c : bounded(message))
      line += static_cast<unsigned char>(c) < ' ' || c == 0x7f ? ' ' : c;
    for (const Field& field : fields) {
      line += ' ';
      line += field.key;
      line += '=';
      std::visit(AppendValue{line, format}, field.value);
    }
    line += '\n';
  }
  emit(line);
}

}  // namespace gproxy::log
