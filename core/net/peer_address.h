// The address at the other end of a connection, as bytes: cheap to keep, to compare and to use as a
// key for limits per address. Text is made on demand.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>

struct sockaddr;

namespace gproxy::net {

class PeerAddress {
 public:
  PeerAddress() = default;
  // IPv4 in IPv6 (::ffff:a.b.c.d) becomes IPv4. Other families stay "unknown".
  explicit PeerAddress(const sockaddr* address);

  enum class Family : uint8_t { unknown, v4, v6 };
  Family family() const { return family_; }
  uint16_t port() const { return port_; }
  bool is_loopback() const;
  std::string host() const;  // "127.0.0.1", "2001:db8::1", "unknown"
  std::string text() const;  // with port; IPv6 in brackets

  // The address without its port.
  const std::array<uint8_t, 16>& bytes() const { return bytes_; }
  bool same_host(const PeerAddress& other) const {
    return family_ == other.family_ && bytes_ == other.bytes_;
  }
  size_t host_hash() const;

 private:
  std::array<uint8_t, 16> bytes_{};
  uint16_t port_ = 0;
  Family family_ = Family::unknown;
};

}  // namespace gproxy::net
