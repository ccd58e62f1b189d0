// HTTP/1.1 responses to bytes: the head (validated, so that nobody's header splits a response), the
// framing that fits request and status, and chunk pieces that leave the payload where it is.
// Pure. One per exchange, on its loop.
//
//   ResponseWriter w(head);                     // the request's head
//   GP_CHECK(w.begin(200, headers, {}, out));   // length unknown: chunked, or close for HTTP/1.0
//   auto pieces = w.piece(bytes);               // prefix + bytes + suffix, to be written in order
//   out += w.end();
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/message.h"

namespace gproxy::http {

enum class Framing : uint8_t {
  none,     // no body: HEAD, 1xx, 204, 304
  length,   // content-length
  chunked,  // HTTP/1.1, length unknown
  close,    // HTTP/1.0, length unknown: the end of the connection is the end of the body
};

// The reason phrase of a status, or "Unknown".
std::string_view reason(int status);

inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// What of the request decides the framing of its response.
struct RequestTraits {
  bool is_head = false;  // HEAD: a head only
  Version version = Version::http11;
  bool keep_alive = true;
  RequestTraits() = default;
  RequestTraits(const RequestHead& head)  // NOLINT: implicit
      : is_head(head.method == "HEAD"), version(head.version), keep_alive(head.keep_alive) {}
};

class ResponseWriter {
 public:
  explicit ResponseWriter(const RequestTraits& request = {})
      : request_(request), keep_alive_(request.keep_alive) {}

  // The connection will be closed after this response. Before begin().
  void close_after() { keep_alive_ = false; }

  // Appends the head to `out`. Hop-by-hop fields, content-length and transfer-encoding in `headers`
  // are left out: framing is the writer's. Fails (kind server, code "invalid_response_header",
  // param = the name; nothing appended) when a name is no token or a value holds control
  // characters.
  Result<void> begin(int status, std::span<const HeaderView> headers,
                     std::optional<uint64_t> content_length, std::string& out);

  // Body bytes as up to three pieces to be written in order; the middle one is `bytes` itself.
  // Empty bytes make no piece; without a body (HEAD, 204) there are none; bytes beyond the
  // content-length are cut off. Views of prefix and suffix live until the next call.
  struct Pieces {
    std::array<std::string_view, 3> views;
    size_t count = 0;
    std::span<const std::string_view> span() const& { return {views.data(), count}; }
    std::span<const std::string_view> span() const&& = delete;  // it would dangle
    size_t bytes() const;
  };
  Pieces piece(std::string_view bytes);
  // What ends the body ("0\r\n\r\n" when chunked, else nothing).
  std::string_view end();

  Framing framing() const { return framing_; }
  bool begun() const { return begun_; }
  bool ended() const { return ended_; }
  // True after end() when the connection may carry another exchange: keep-alive was agreed, and the
  // body was as long as its content-length said.
  bool keep_alive() const { return keep_alive_; }

 private:
  RequestTraits request_;
  Framing framing_ = Framing::none;
  bool keep_alive_;
  bool begun_ = false;
  bool ended_ = false;
  uint64_t left_ = 0;  // of the content-length
  std::array<char, 20> prefix_{};
};

}  // namespace gproxy::http
