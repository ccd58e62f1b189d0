#include "http/parser.h"

#include <llhttp.h>

#include <algorithm>
#include <cstring>

#include "http/chunk_guard.h"
#include "http/head_guard.h"

namespace gproxy::http {
namespace {

constexpr size_t kFirstHeadBytes = 2048;  // a head that comes in pieces starts with this much room
constexpr size_t kMaxEmptyLines = 4;      // RFC 9112 2.2 wants at least one ignored
constexpr size_t kRequestLineExtra = 64;  // method, version and spaces around the target
constexpr size_t kKnownLineBytes = 4096;  // kept of a refused head, for its request line

Error headers_too_large(size_t limit) {
  return Error{ErrorKind::invalid,
               "headers_too_large",
               "the request head exceeds " + std::to_string(limit) + " bytes",
               {},
               431};
}

}  // namespace

struct RequestParser::Impl {
  enum class State : uint8_t { unset, idle, head, body, done, stopped, failed };

  Impl(RequestSink& s, const ParserLimits& l) : sink(s), limits(l) {
    llhttp_settings_init(&settings);
    settings.on_headers_complete = [](llhttp_t* parser) {
      // An upgrade we ignore (RFC 9110 7.8): the message goes on as HTTP/1.1.
      parser->upgrade = 0;
      return self(parser).note_headers();
    };
    settings.on_body = [](llhttp_t* parser, const char* at, size_t n) {
      return self(parser).take_body({at, n});
    };
    settings.on_message_complete = [](llhttp_t* parser) {
      self(parser).message_complete = true;
      return 0;
    };
  }
  static Impl& self(llhttp_t* parser) { return *static_cast<Impl*>(parser->data); }

  void begin(Arena& where) {
    arena = &where;
    state = State::idle;
    head = {};
    head_known = headers_complete = message_complete = false;
    text = nullptr;
    size = capacity = line_bytes = lines = empty_lines = 0;
    last = 0;
    left = 0;
    llhttp_init(&llhttp, HTTP_REQUEST, &settings);
    llhttp.data = this;
  }

  Error fail(Error error) {
    state = State::failed;
    failure = error;
    return error;
  }

  // --- head ---

  // Looks for the end of the head in `bytes`. `keep_from` is where the message begins in them
  // (empty lines in front of it are skipped); `complete` says that the returned count ends the
  // head.
  Result<size_t> scan(std::string_view bytes, size_t& keep_from, bool& complete) {
    size_t at = 0;
    while (at < bytes.size()) {
      if (lines == 0 && line_bytes == 0 && bytes[at] != '\r' && !is_token(bytes.substr(at, 1))) {
        return malformed("the request line does not begin with a method");
      }
      const auto* lf =
          static_cast<const char*>(std::memchr(bytes.data() + at, '\n', bytes.size() - at));
      const size_t end = lf != nullptr ? static_cast<size_t>(lf - bytes.data()) : bytes.size();
      line_bytes += end - at;
      if (lines == 0 && line_bytes > limits.max_target_bytes + kRequestLineExtra) {
        return Error{
            ErrorKind::invalid,
            "target_too_long",
            "the request target exceeds " + std::to_string(limits.max_target_bytes) + " bytes",
            {},
            414};
      }
      if (size + (end - keep_from) > limits.max_header_bytes)
        return headers_too_large(limits.max_header_bytes);
      if (lf == nullptr) {
        last = bytes.back();
        return bytes.size();
      }
      const char before = end > at ? bytes[end - 1] : last;
      if (line_bytes == 0 || before != '\r') return malformed("a line ends with a bare LF");
      const bool empty = line_bytes == 1;
      line_bytes = 0;
      at = end + 1;
      if (!empty) {
        if (++lines > limits.max_headers + 1) {
          return Error{
              ErrorKind::invalid,
              "headers_too_large",
              "the request has more than " + std::to_string(limits.max_headers) + " header fields",
              {},
              431};
        }
        continue;
      }
      if (lines > 0) {
        complete = true;
        return at;
      }
      if (++empty_lines > kMaxEmptyLines)
        return malformed("too many empty lines before the request");
      size = 0;
      keep_from = at;
    }
    last = bytes.back();
    return at;
  }

  bool keep(std::string_view bytes, bool final_piece) {
    if (size + bytes.size() > capacity) {
      size_t room = size + bytes.size();
      if (!final_piece) room = std::max(room * 2, kFirstHeadBytes);
      auto* bigger = static_cast<char*>(arena->alloc(room, 1));
      if (bigger == nullptr) return false;
      if (size > 0) std::memcpy(bigger, text, size);
      text = bigger;
      capacity = room;
    }
    if (!bytes.empty()) std::memcpy(text + size, bytes.data(), bytes.size());
    size += bytes.size();
    return true;
  }

  Result<size_t> feed_head(std::string_view bytes) {
    state = State::head;
    size_t keep_from = 0;
    bool complete = false;
    const auto scanned = scan(bytes, keep_from, complete);
    if (!scanned.ok()) {
      // For line(): a refused head's request line says how to answer.
      if (size < kKnownLineBytes) keep(bytes.substr(keep_from, kKnownLineBytes), true);
      return scanned.error();
    }
    const size_t used = *scanned;
    if (!keep(bytes.substr(keep_from, used - keep_from), complete)) {
      return Error{ErrorKind::overloaded, "out_of_memory", "no memory for the request head", {}};
    }
    // Only empty lines so far: still between two messages.
    if (size == 0) state = State::idle;
    if (!complete) return used;
    GP_CHECK(finish_head());
    return used;
  }

  Result<void> finish_head() {
    const std::string_view all(text, size);
    GP_CHECK(read_head(all, lines - 1, limits.max_target_bytes, *arena, head));
    const llhttp_errno_t status = llhttp_execute(&llhttp, all.data(), all.size());
    if (status != HPE_OK || !headers_complete) return malformed("the request head is ambiguous");
    head_known = true;
    if (head.content_length.value_or(0) > limits.max_body_bytes) {
      return Error{ErrorKind::too_large,
                   "request_too_large",
                   "the request body exceeds " + std::to_string(limits.max_body_bytes) + " bytes",
                   {}};
    }
    left = head.content_length.value_or(0);
    if (head.chunked) {
      chunks.begin({limits.max_body_bytes, limits.max_chunk_extension_bytes,
                    limits.max_header_bytes, limits.max_headers});
    }
    if (message_complete == head.has_body())
      return malformed("the length of the body is ambiguous");
    state = State::body;
    const Action action = sink.on_head(head);
    if (state == State::stopped) return {};
    if (action == Action::stop) {
      state = State::stopped;
    } else if (!head.has_body()) {
      end();
    } else {
      paused = action == Action::pause;
    }
    return {};
  }

  // llhttp's own reading of the head must be ours.
  int note_headers() {
    headers_complete = true;
    const bool same =
        head.method == llhttp_method_name(static_cast<llhttp_method_t>(llhttp.method)) &&
        llhttp.http_major == 1 && llhttp.http_minor == (head.version == Version::http11 ? 1 : 0) &&
        ((llhttp.flags & F_CHUNKED) != 0) == head.chunked &&
        ((llhttp.flags & F_CONTENT_LENGTH) != 0) == head.content_length.has_value() &&
        (!head.content_length || llhttp.content_length == *head.content_length);
    return same ? 0 : -1;
  }

  // --- body ---

  int take_body(std::string_view bytes) {
    if (state == State::body && !bytes.empty()) sink.on_body(bytes);
    return 0;
  }

  Result<size_t> feed_body(std::string_view bytes) {
    size_t used = 0;
    Result<void> verdict;
    bool last_piece = false;
    if (head.chunked) {
      verdict = chunks.feed(bytes, used);
      last_piece = chunks.done();
    } else {
      used = static_cast<size_t>(std::min<uint64_t>(left, bytes.size()));
      left -= used;
      last_piece = left == 0;
    }
    // Data in front of an error is still delivered, so that the split of the input does not matter.
    const llhttp_errno_t status = llhttp_execute(&llhttp, bytes.data(), used);
    if (state == State::stopped) return used;
    GP_CHECK(std::move(verdict));
    if (status != HPE_OK || message_complete != last_piece) {
      return malformed("the framing of the body is ambiguous");
    }
    if (last_piece) end();
    return used;
  }

  void end() {
    state = State::done;
    sink.on_end();
  }

  RequestSink& sink;
  ParserLimits limits;
  llhttp_settings_t settings;
  llhttp_t llhttp{};
  Arena* arena = nullptr;
  State state = State::unset;
  RequestHead head;
  ChunkGuard chunks;
  Error failure;
  char* text = nullptr;  // the head so far, in the arena
  size_t size = 0, capacity = 0;
  size_t line_bytes = 0;  // of the line being read, without its LF
  size_t lines = 0;       // complete, not empty
  size_t empty_lines = 0;
  uint64_t left = 0;  // of a body with a content-length
  char last = 0;      // the byte before the current piece
  bool head_known = false, headers_complete = false, message_complete = false, paused = false;
};

RequestParser::RequestParser(RequestSink& sink, const ParserLimits& limits)
    : impl_(std::make_unique<Impl>(sink, limits)) {}
RequestParser::~RequestParser() = default;

void RequestParser::begin(Arena& arena) {
  impl_->begin(arena);
}

Result<size_t> RequestParser::feed(std::string_view bytes) {
  Impl& p = *impl_;
  GP_ASSERT(p.state != Impl::State::unset);
  size_t used = 0;
  while (used < bytes.size()) {
    const std::string_view rest = bytes.substr(used);
    Result<size_t> step = size_t{0};
    switch (p.state) {
      case Impl::State::idle:
      case Impl::State::head:
        step = p.feed_head(rest);
        break;
      case Impl::State::body:
        step = p.feed_body(rest);
        break;
      case Impl::State::failed:
        return p.failure;
      case Impl::State::unset:
      case Impl::State::done:
      case Impl::State::stopped:
        return used;
    }
    if (!step.ok()) return p.fail(std::move(step).error());
    used += *step;
    if (p.paused) {
      p.paused = false;
      return used;
    }
  }
  return used;
}

Result<void> RequestParser::finish() const {
  switch (impl_->state) {
    case Impl::State::head:
    case Impl::State::body:
      return malformed("the connection ended in the middle of a request");
    default:
      return {};
  }
}

void RequestParser::stop() {
  impl_->state = Impl::State::stopped;
}
bool RequestParser::idle() const {
  return impl_->state == Impl::State::idle;
}
bool RequestParser::done() const {
  return impl_->state == Impl::State::done;
}
const RequestHead* RequestParser::head() const {
  return impl_->head_known ? &impl_->head : nullptr;
}
RequestLine RequestParser::line() const {
  return read_known_line({impl_->text, impl_->size});
}
void RequestParser::set_limits(const ParserLimits& limits) {
  impl_->limits = limits;
}

std::string library_version() {
  return "llhttp " + std::to_string(LLHTTP_VERSION_MAJOR) + "." +
         std::to_string(LLHTTP_VERSION_MINOR) + "." + std::to_string(LLHTTP_VERSION_PATCH);
}

}  // namespace gproxy::http
