// Every row is a rule of HTTP/1.1 that keeps two servers from reading one stream of bytes as
// different requests, with the document it comes from, and what this parser does about it.
#include <doctest/doctest.h>

#include <set>
#include <string>
#include <string_view>

#include "parse_helper.h"

using namespace gproxy::http;

namespace {

constexpr int kAccepted = 0;

struct Row {
  std::string name;
  std::string raw;
  int status;
};

std::string get(std::string fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}
std::string post(std::string fields, std::string body = {}) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
}
std::string chunked(std::string body) {
  return post("Transfer-Encoding: chunked\r\n", std::move(body));
}
std::string nul(std::string text, char mark) {
  for (char& c : text) {
    if (c == mark) c = '\0';
  }
  return text;
}

const Row kRows[] = {
    // What is right must stay right.
    {"plain GET", get(""), kAccepted},
    {"POST with content-length", post("Content-Length: 3\r\n", "abc"), kAccepted},
    {"POST with chunks", chunked("3\r\nabc\r\n0\r\n\r\n"), kAccepted},
    {"two requests on one connection", get("") + get(""), kAccepted},
    {"HTTP/1.0 without host", "GET / HTTP/1.0\r\n\r\n", kAccepted},
    {"RFC 9112 2.2: an empty line before the request line is ignored", "\r\n" + get(""), kAccepted},
    {"RFC 9112 3.2.2: absolute-form with the same host",
     "GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n", kAccepted},
    {"RFC 9112 3.2.4: asterisk-form with OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
     kAccepted},
    {"RFC 9110 5.5: an empty field value", get("X-Empty:\r\n"), kAccepted},
    {"RFC 9110 5.5: obs-text in a field value", get("X: caf\xc3\xa9\r\n"), kAccepted},
    {"RFC 9112 5.1: white space around a value is not part of it", get("X: \t v \t\r\n"),
     kAccepted},
    {"RFC 9112 7.1: upper and lower case hexadecimal",
     chunked("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"), kAccepted},
    {"RFC 9112 7.1.1: a chunk extension with a token", chunked("1;a;c=b\r\nx\r\n0\r\n\r\n"),
     kAccepted},
    {"RFC 9112 7.1.1: a chunk extension with a quoted string",
     chunked("1;a=\"b;c\"\r\nx\r\n0\r\n\r\n"), kAccepted},
    {"RFC 9112 7.1.2: a harmless trailer field", chunked("0\r\nX-Checksum: 1\r\n\r\n"), kAccepted},
    {"RFC 9112 7: transfer codings have no case",
     post("Transfer-Encoding: CHUNKED\r\n", "0\r\n\r\n"), kAccepted},
    {"RFC 9110 8.6: content-length zero", post("Content-Length: 0\r\n"), kAccepted},
    {"RFC 9110 10.1.1: expect 100-continue",
     post("Expect: 100-continue\r\nContent-Length: 1\r\n", "x"), kAccepted},
    {"RFC 9110 7.8: an upgrade may be ignored",
     get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: "
         "AAMAAABkAAQAAP__\r\n") +
         get(""),
     kAccepted},
    {"RFC 9110 7.8: an ignored upgrade with a body keeps its framing",
     post("Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n", "ab") + get(""),
     kAccepted},
    {"a field name with an underscore that shadows nothing", get("X_Trace: 1\r\n"), kAccepted},
    {"an IPv6 host with a port", "GET / HTTP/1.1\r\nHost: [::1]:8787\r\n\r\n", kAccepted},

    // Two lengths (RFC 9112 6.3).
    {"RFC 9112 6.3: content-length and transfer-encoding",
     post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
    {"RFC 9112 6.3: transfer-encoding and content-length, other order",
     post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400},
    {"RFC 9112 6.3: content-length 0 and transfer-encoding",
     post("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
    {"RFC 9112 6.3: content-length and a broken transfer-encoding",
     post("Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n", "abcde"), 400},
    {"RFC 9110 8.6: two different content-lengths",
     post("Content-Length: 5\r\nContent-Length: 6\r\n", "abcdef"), 400},
    {"RFC 9110 8.6: two equal content-lengths",
     post("Content-Length: 5\r\nContent-Length: 5\r\n", "abcde"), 400},
    {"RFC 9110 8.6: a list of equal content-lengths", post("Content-Length: 5, 5\r\n", "abcde"),
     400},
    {"RFC 9110 8.6: a list of different content-lengths", post("Content-Length: 5,6\r\n", "abcdef"),
     400},

    // Content-length = 1*DIGIT (RFC 9110 8.6).
    {"RFC 9110 8.6: a plus sign", post("Content-Length: +5\r\n", "abcde"), 400},
    {"RFC 9110 8.6: a minus sign", post("Content-Length: -5\r\n", "abcde"), 400},
    {"RFC 9110 8.6: minus zero", post("Content-Length: -0\r\n"), 400},
    {"RFC 9110 8.6: a space between digits", post("Content-Length: 1 2\r\n", "abcdefghijkl"), 400},
    {"RFC 9110 8.6: hexadecimal", post("Content-Length: 0x5\r\n", "abcde"), 400},
    {"RFC 9110 8.6: hexadecimal digits", post("Content-Length: a\r\n", "abcdefghij"), 400},
    {"RFC 9110 8.6: an exponent", post("Content-Length: 1e1\r\n", "abcdefghij"), 400},
    {"RFC 9110 8.6: a fraction", post("Content-Length: 5.0\r\n", "abcde"), 400},
    {"RFC 9110 8.6: an underscore between digits", post("Content-Length: 1_0\r\n", "abcdefghij"),
     400},
    {"RFC 9110 8.6: quotes", post("Content-Length: \"5\"\r\n", "abcde"), 400},
    {"RFC 9110 8.6: empty", post("Content-Length:\r\n"), 400},
    {"RFC 9110 8.6: only white space", post("Content-Length: \t \r\n"), 400},
    {"RFC 9110 8.6: text behind the digits", post("Content-Length: 5;q=1\r\n", "abcde"), 400},
    {"RFC 9110 8.6: a trailing comma", post("Content-Length: 5,\r\n", "abcde"), 400},
    {"RFC 9110 8.6: more than 64 bits", post("Content-Length: 18446744073709551621\r\n", "abcde"),
     400},
    {"RFC 9110 8.6: far more than 64 bits",
     post("Content-Length: 99999999999999999999999999999\r\n", "abcde"), 400},
    {"RFC 9110 8.6: full-width digits", post("Content-Length: \xef\xbc\x95\r\n", "abcde"), 400},
    {"RFC 9110 15.5.14: a content-length over the limit, before any body byte",
     post("Content-Length: 52428801\r\n"), 413},
    {"RFC 9110 15.5.14: 64 bits all set", post("Content-Length: 18446744073709551615\r\n"), 413},

    // Transfer-encoding (RFC 9112 6.1, 6.3, 7).
    {"RFC 9112 6.3: chunked is not last", post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"),
     400},
    {"RFC 9112 7.1: chunked twice in one field",
     post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 400},
    {"RFC 9112 7.1: chunked in two fields",
     post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
    {"RFC 9112 6.1: chunked and another coding in two fields",
     post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"), 400},
    {"RFC 9112 6.1: an unknown coding before chunked",
     post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501},
    {"RFC 9112 6.3: an unknown coding alone", post("Transfer-Encoding: gzip\r\n", "x"), 400},
    {"RFC 7230 A.2: identity is a coding no more", post("Transfer-Encoding: identity\r\n"), 400},
    {"RFC 9112 7: identity before chunked",
     post("Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n"), 400},
    {"RFC 9112 7: a word that ends with chunked",
     post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 400},
    {"RFC 9112 7: a word that begins with chunked",
     post("Transfer-Encoding: chunkedx\r\n", "0\r\n\r\n"), 400},
    {"CVE-2022-32213: chunked behind a missing comma",
     post("Transfer-Encoding: chunked identity\r\n", "0\r\n\r\n"), 400},
    {"RFC 9112 7: a parameter of chunked", post("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n"),
     400},
    {"RFC 9112 7: quoted chunked", post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), 400},
    {"RFC 9112 7: an empty transfer-encoding", post("Transfer-Encoding:\r\n", "0\r\n\r\n"), 400},
    {"RFC 9112 7: a list that begins with a comma",
     post("Transfer-Encoding: ,chunked\r\n", "0\r\n\r\n"), 400},
    {"RFC 9112 7: a list that ends with a comma",
     post("Transfer-Encoding: chunked,\r\n", "0\r\n\r\n"), 400},
    {"RFC 9112 6.1: vertical tab before chunked",
     post("Transfer-Encoding: \x0b"
          "chunked\r\n",
          "0\r\n\r\n"),
     400},
    {"RFC 9112 6.1: transfer-encoding in HTTP/1.0",
     "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    {"CVE-2022-32215: transfer-encoding on two lines",
     post("Transfer-Encoding: chunked\r\n , identity\r\n", "0\r\n\r\n"), 400},

    // Line ends (RFC 9112 2.2).
    {"RFC 9112 2.2: bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
    {"RFC 9112 2.2: bare LF after a field", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400},
    {"RFC 9112 2.2: bare LF as the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
    {"RFC 9112 2.2: bare LF before the request line", "\n" + get(""), 400},
    {"CVE-2023-30589: CR alone ends a field",
     "GET / HTTP/1.1\r\nHost: a\r\nX: b\rTransfer-Encoding: chunked\r\n\r\n", 400},
    {"RFC 9112 2.2: bare CR in the request line", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112 2.2: CR CR LF after the request line", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112 2.2: CR CR LF after a field", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400},
    {"CVE-2022-35256: a field that ends with CR and no LF",
     "GET / HTTP/1.1\r\nHost: a\r\nX:\rY: b\r\n\r\n", 400},
    {"RFC 9112 2.2: CR and another byte before the request", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
     400},
    {"RFC 9112 2.2: endless empty lines", "\r\n\r\n\r\n\r\n\r\n\r\n" + get(""), 400},

    // Fields (RFC 9112 5, RFC 9110 5).
    {"RFC 9112 5.2: obs-fold with a space", get("X: a\r\n b\r\n"), 400},
    {"RFC 9112 5.2: obs-fold with a tab", get("X: a\r\n\tb\r\n"), 400},
    {"RFC 9112 2.2: white space between request line and first field",
     "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
    {"RFC 9112 5.1: space before the colon", post("Content-Length : 5\r\n", "abcde"), 400},
    {"RFC 9112 5.1: tab before the colon", post("Transfer-Encoding\t: chunked\r\n", "0\r\n\r\n"),
     400},
    {"RFC 9110 5.1: an empty field name", get(": x\r\n"), 400},
    {"RFC 9112 5: a line without a colon", get("Justaword\r\n"), 400},
    {"RFC 9112 5: a line that is one colon", get(":\r\n"), 400},
    {"RFC 9110 5.1: space inside a name", get("X Y: z\r\n"), 400},
    {"RFC 9110 5.1: a bracket in a name", get("X(Y): z\r\n"), 400},
    {"RFC 9110 5.1: a quote in a name", get("\"Content-Length\": 5\r\n"), 400},
    {"RFC 9110 5.1: non-ASCII in a name", get("X\xc3\xa9: z\r\n"), 400},
    {"RFC 9110 5.1: NUL in a name", nul(get("X@Y: z\r\n"), '@'), 400},
    {"RFC 9110 5.5: NUL in a value", nul(get("X: a@b\r\n"), '@'), 400},
    {"RFC 9110 5.5: NUL before a value",
     nul(post("Transfer-Encoding:@chunked\r\n", "0\r\n\r\n"), '@'), 400},
    {"RFC 9110 5.5: a control character in a value",
     get("X: a\x01"
         "b\r\n"),
     400},
    {"RFC 9110 5.5: escape in a value", get("X: \x1b[2J\r\n"), 400},
    {"RFC 9110 5.5: DEL in a value", get("X: a\x7f\r\n"), 400},
    {"RFC 9110 5.5: form feed in a value", get("X: a\x0c\r\n"), 400},
    {"RFC 3875 4.1.18: content_length shadows content-length",
     post("Content_Length: 5\r\n", "abcde"), 400},
    {"RFC 3875 4.1.18: transfer_encoding shadows transfer-encoding",
     post("Transfer_Encoding: chunked\r\n", "0\r\n\r\n"), 400},
    {"RFC 3875 4.1.18: a shadow in mixed spelling", post("transfer_ENCODING: chunked\r\n"), 400},
    {"RFC 9110 7.6.1: connection names content-length",
     post("Connection: content-length\r\nContent-Length: 5\r\n", "abcde"), 400},
    {"RFC 9110 7.6.1: connection names transfer-encoding",
     post("Connection: close, Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
     400},
    {"RFC 9110 7.6.1: connection names host", get("Connection: host\r\n"), 400},

    // The request line (RFC 9112 3).
    {"RFC 9112 3: HTTP/0.9, no version", "GET /\r\n\r\n", 400},
    {"RFC 9112 2.3: HTTP/0.9 in words", "GET / HTTP/0.9\r\n\r\n", 505},
    {"RFC 9112 2.3: HTTP/2.0 in words", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
    {"RFC 9113 3.4: the connection preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    {"RFC 9112 2.3: HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
    {"RFC 9112 2.3: a version without a minor number", "GET / HTTP/1\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112 2.3: a version with two digits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112 2.3: the name of the protocol has case", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112 2.3: another protocol", "GET / RTSP/1.0\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112 2.3: space before the slash", "GET / HTTP /1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112 3: space behind the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
    {"RFC 9112 3: two spaces behind the method", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112 3: two spaces before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112 3: a tab between the parts", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112 3: a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112 2.2: space before the request line", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112 2.2: tab before the request line", "\tGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112 3: nothing but a method", "GET\r\n\r\n", 400},
    {"RFC 9110 9.1: a method in lower case", "get / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
    {"RFC 9110 9.1: an unknown method", "FOO / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
    {"RFC 9110 9.1: a method that is no token", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 9110 9.1: an endless method", std::string(64, 'A') + " / HTTP/1.1\r\nHost: a\r\n\r\n",
     400},
    {"RFC 9110 9.3.6: CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501},
    {"RFC 9110 9.3.8: TRACE", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
    {"RFC 8446 4.1.2: a TLS handshake on the plain port", "\x16\x03\x01\x02", 400},

    // The target and the host (RFC 9112 3.2, RFC 9110 7.2).
    {"RFC 9112 3.2: no host in HTTP/1.1", "GET / HTTP/1.1\r\n\r\n", 400},
    {"RFC 9112 3.2: two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
    {"RFC 9112 3.2: the same host twice", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
    {"RFC 9110 7.2: an empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
    {"RFC 9110 7.2: two hosts in one field", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
    {"RFC 9110 7.2: a path in host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    {"RFC 9110 4.2.4: user information in host", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
    {"RFC 9110 7.2: a space in host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
    {"RFC 3986 3.2.3: a port that is no number", "GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n", 400},
    {"RFC 3986 3.2.3: a port out of range", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400},
    {"RFC 3986 3.2.2: an unclosed IPv6 host", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
    {"RFC 9112 3.2.2: absolute-form with another host", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n",
     400},
    {"RFC 9112 3.2.2: absolute-form with another port",
     "GET http://a:1/ HTTP/1.1\r\nHost: a:2\r\n\r\n", 400},
    {"RFC 9110 4.2: absolute-form with another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
     400},
    {"RFC 9110 4.2.4: user information in absolute-form",
     "GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112 3.2.3: authority-form without CONNECT", "GET a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
     400},
    {"RFC 9112 3.2.4: asterisk-form without OPTIONS", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112 3.2: a target that is no path", "GET index HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112 3.2.1: a fragment in the target", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 3986 2: a backslash in the target", "GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 3986 2: non-ASCII in the target", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 3986 2: a control character in the target", "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 3986 2: NUL in the target", nul("GET /@ HTTP/1.1\r\nHost: a\r\n\r\n", '@'), 400},
    {"RFC 3986 2.1: a broken escape", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 3986 2.1: a cut escape", "GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 3986 7.3: an escaped NUL", "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112 3: a target over the limit",
     "GET /" + std::string(17000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
    {"RFC 9112 3: a request line that never ends", "GET /" + std::string(20000, 'a'), 414},
    {"RFC 6585 5: a head over the limit", get("X: " + std::string(70000, 'a') + "\r\n"), 431},
    {"RFC 6585 5: a field that never ends", "GET / HTTP/1.1\r\nX: " + std::string(70000, 'a'), 431},
    {"RFC 6585 5: too many fields",
     [] {
       std::string many;
       for (int i = 0; i < 101; ++i) many += "X: y\r\n";
       return get(many);
     }(),
     431},

    // Expectations (RFC 9110 10.1.1).
    {"RFC 9110 10.1.1: an unknown expectation",
     post("Expect: 200-maybe\r\nContent-Length: 1\r\n", "x"), 417},
    {"RFC 9110 10.1.1: a list of expectations",
     post("Expect: 100-continue, x\r\nContent-Length: 1\r\n", "x"), 417},

    // Chunks (RFC 9112 7.1).
    {"RFC 9112 7.1: a chunk size over 64 bits", chunked("10000000000000000\r\nx\r\n0\r\n\r\n"),
     400},
    {"RFC 9112 7.1: a chunk size that wraps to 5",
     chunked("10000000000000005\r\nabcde\r\n0\r\n\r\n"), 400},
    {"RFC 9112 7.1: endless leading zeros of a chunk size",
     chunked(std::string(1000, '0') + "1\r\nx\r\n0\r\n\r\n"), 400},
    {"RFC 9112 7.1: 0x before a chunk size", chunked("0x5\r\nabcde\r\n0\r\n\r\n"), 400},
    {"RFC 9112 7.1: an underscore in a chunk size", chunked("1_0\r\n0123456789abcdef\r\n0\r\n\r\n"),
     400},
    {"RFC 9112 7.1: a plus sign before a chunk size", chunked("+5\r\nabcde\r\n0\r\n\r\n"), 400},
    {"RFC 9112 7.1: a minus sign before a chunk size", chunked("-5\r\nabcde\r\n0\r\n\r\n"), 400},
    {"RFC 9112 7.1: a space before a chunk size", chunked(" 5\r\nabcde\r\n0\r\n\r\n"), 400},
    {"RFC 9112 7.1: a space behind a chunk size", chunked("5 \r\nabcde\r\n0\r\n\r\n"), 400},
    {"RFC 9112 7.1: a tab behind a chunk size", chunked("5\t\r\nabcde\r\n0\r\n\r\n"), 400},
    {"RFC 9112 7.1: an empty chunk size", chunked("\r\nabcde\r\n0\r\n\r\n"), 400},
    {"RFC 9112 7.1: a chunk size that is no number", chunked("g\r\nx\r\n0\r\n\r\n"), 400},
    {"RFC 9112 7.1: NUL in a chunk size", nul(chunked("5@\r\nabcde\r\n0\r\n\r\n"), '@'), 400},
    {"CVE-2025-22871: bare LF behind a chunk size", chunked("5\nabcde\r\n0\r\n\r\n"), 400},
    {"RFC 9112 7.1: bare CR behind a chunk size", chunked("5\rabcde\r\n0\r\n\r\n"), 400},
    {"RFC 9112 7.1: bare LF behind the chunk data", chunked("5\r\nabcde\n0\r\n\r\n"), 400},
    {"RFC 9112 7.1: nothing behind the chunk data", chunked("5\r\nabcde0\r\n\r\n"), 400},
    {"RFC 9112 7.1: two wrong bytes behind the chunk data", chunked("5\r\nabcdeXX0\r\n\r\n"), 400},
    {"RFC 9112 7.1: CR and another byte behind the chunk data", chunked("5\r\nabcde\rX0\r\n\r\n"),
     400},
    {"RFC 9112 7.1: bare LF behind the last chunk", chunked("0\n\r\n"), 400},
    {"RFC 9112 7.1: bare LF as the end of the trailer section", chunked("0\r\n\n"), 400},
    {"RFC 9112 7.1.1: bare LF in a chunk extension", chunked("5;a=b\nabcde\r\n0\r\n\r\n"), 400},
    {"RFC 9112 7.1.1: bare CR in a chunk extension", chunked("5;a\rb\r\nabcde\r\n0\r\n\r\n"), 400},
    {"RFC 9112 7.1.1: a quoted LF in a chunk extension",
     chunked("5;a=\"\n\"\r\nabcde\r\n0\r\n\r\n"), 400},
    {"RFC 9112 7.1.1: an escaped CR in a chunk extension",
     chunked("5;a=\"\\\r\n\"\r\nabcde\r\n0\r\n\r\n"), 400},
    {"RFC 9112 7.1.1: an extension without a name", chunked("5;\r\nabcde\r\n0\r\n\r\n"), 400},
    {"RFC 9112 7.1.1: an extension without its value", chunked("5;a=\r\nabcde\r\n0\r\n\r\n"), 400},
    {"RFC 9112 7.1.1: white space in an extension", chunked("5; a\r\nabcde\r\n0\r\n\r\n"), 400},
    {"RFC 9112 7.1.1: a control character in an extension",
     chunked("5;a\x01\r\nabcde\r\n0\r\n\r\n"), 400},
    {"CVE-2024-22019: an endless chunk extension", chunked("5;a=" + std::string(20000, 'a')), 400},
    {"RFC 9110 15.5.14: chunks over the limit, before their data", chunked("3200001\r\n"), 413},

    // Trailers (RFC 9112 7.1.2, RFC 9110 6.5.1).
    {"RFC 9110 6.5.1: content-length in the trailers", chunked("0\r\nContent-Length: 5\r\n\r\n"),
     400},
    {"RFC 9110 6.5.1: transfer-encoding in the trailers",
     chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
    {"RFC 9110 6.5.1: host in the trailers", chunked("0\r\nHost: b\r\n\r\n"), 400},
    {"RFC 9110 6.5.1: authorization in the trailers",
     chunked("0\r\nAuthorization: Bearer x\r\n\r\n"), 400},
    {"RFC 9112 5.2: obs-fold in the trailers", chunked("0\r\nX: a\r\n b\r\n\r\n"), 400},
    {"RFC 9112 5.1: space before a colon in the trailers", chunked("0\r\nX : a\r\n\r\n"), 400},
    {"RFC 9112 5: a request line in the trailers", chunked("0\r\nGET / HTTP/1.1\r\n\r\n"), 400},
    {"RFC 9112 2.2: bare CR in the trailers", chunked("0\r\nX: a\rb\r\n\r\n"), 400},
    {"RFC 9112 2.2: bare LF behind a trailer field", chunked("0\r\nX: a\n\r\n"), 400},
    {"RFC 9110 5.5: NUL in the trailers", nul(chunked("0\r\nX: a@\r\n\r\n"), '@'), 400},
    {"RFC 6585 5: trailers over the limit",
     chunked("0\r\nX: " + std::string(70000, 'a') + "\r\n\r\n"), 431},
    {"RFC 6585 5: too many trailers",
     [] {
       std::string many = "0\r\n";
       for (int i = 0; i < 101; ++i) many += "X: y\r\n";
       return chunked(many + "\r\n");
     }(),
     431},
    {"RFC 9112 6.3: what follows the body is the next request, not part of it",
     post("Content-Length: 3\r\n", "abcGARBAGE\r\n\r\n"), 400},
};

}  // namespace

TEST_CASE("every request that could be read in two ways is refused") {
  std::set<std::string> names;
  size_t refused = 0;
  for (const Row& row : kRows) {
    CAPTURE(row.name);
    CHECK(names.insert(row.name).second);
    const auto outcome = testing::run(row.raw);
    CAPTURE(outcome.log.substr(0, 300));
    CAPTURE(outcome.message);
    CHECK(outcome.status == row.status);
    if (row.status == kAccepted) {
      CHECK(outcome.complete);
      CHECK(outcome.messages >= 1);
    } else {
      ++refused;
    }
  }
  CHECK(refused >= 100);
}

TEST_CASE("where the bytes are split changes nothing about that") {
  for (const Row& row : kRows) {
    CAPTURE(row.name);
    const auto whole = testing::run(row.raw);
    // Long rows are cut at some places, the others everywhere.
    const size_t step = row.raw.size() > 600 ? row.raw.size() / 61 : 1;
    for (size_t cut = 0; cut <= row.raw.size(); cut += step) {
      const auto split = testing::run(row.raw, {cut});
      REQUIRE(split.status == whole.status);
      REQUIRE(split.log == whole.log);
    }
    if (row.raw.size() <= 600) {
      std::vector<size_t> every;
      for (size_t i = 1; i < row.raw.size(); ++i) every.push_back(i);
      REQUIRE(testing::run(row.raw, every).log == whole.log);
    }
  }
}
