// HTTP/1.1 requests from bytes: llhttp, strict, with our own guards in front (head_guard.h) and
// beside (chunk_guard.h) that refuse every framing two servers could read differently. Pure: no
// I/O, no clock. One per connection, on its loop; owned by the session.
//
//   parser.begin(arena);                       // for each request
//   auto used = parser.feed(bytes);            // calls the sink; error -> answer error().http(),
//   close if (parser.done()) ...                     // message end: the rest of the bytes waits
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <optional>
#include <string_view>

#include "base/arena.h"
#include "base/result.h"
#include "http/message.h"

namespace gproxy::http {

struct ParserLimits {
  size_t max_header_bytes = 64 * 1024;          // the whole head, or all trailers: 431 above
  size_t max_headers = 100;                     // fields of the head, or of the trailers: 431 above
  size_t max_target_bytes = 16 * 1024;          // 414 above
  size_t max_body_bytes = size_t{50} << 20;     // 413 above; a content-length is judged at the head
  size_t max_chunk_extension_bytes = 4 * 1024;  // in one body, all together: 400 above
};

// What on_head wants to happen next.
enum class Action : uint8_t {
  proceed,  // go on with the body
  pause,    // feed() returns after the head; the next feed() goes on with the body
  stop,     // this message is not read any further (the session answers and closes)
};

class RequestSink {
 public:
  // `head` and its views live in the arena given to begin().
  virtual Action on_head(const RequestHead& head) = 0;
  virtual void on_body(std::string_view bytes) = 0;  // valid during the call
  virtual void on_end() = 0;                         // the last call of a message

 protected:
  ~RequestSink() = default;
};

// The sink may not destroy the parser nor call begin()/feed() from inside a callback.
class RequestParser {
 public:
  explicit RequestParser(RequestSink& sink, const ParserLimits& limits = {});
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // Starts the next message. Its head is stored in `arena`, which must outlive the message.
  void begin(Arena& arena);
  // How many bytes were consumed: all of them, unless the message ended, was paused or stopped.
  // An error (kind, HTTP status in http(), code) is final: the connection must be closed after the
  // answer. REQUIRES: begin().
  Result<size_t> feed(std::string_view bytes);
  // The peer closed its side: an error when a message was cut off, fine between messages.
  Result<void> finish() const;

  // Delivers nothing more of this message; feed() then consumes nothing. Also from inside a
  // callback.
  void stop();

  bool idle() const;  // no byte of the next message was seen yet
  bool done() const;  // the message has ended; begin() is next
  // The head of the current message once it is known: also when its body was then refused (413).
  const RequestHead* head() const;
  // The request line as far as it came, also of a head that was refused or is not complete.
  RequestLine line() const;
  // Other limits for the messages to come.
  void set_limits(const ParserLimits& limits);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The llhttp that is linked, for --version: "llhttp 8.1.0".
std::string library_version();

}  // namespace gproxy::http
