#include "net/peer_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace gproxy::net {

PeerAddress::PeerAddress(const sockaddr* address) {
  if (address == nullptr) return;
  if (address->sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, address, sizeof in);
    family_ = Family::v4;
    port_ = ntohs(in.sin_port);
    std::memcpy(bytes_.data(), &in.sin_addr, 4);
  } else if (address->sa_family == AF_INET6) {
    sockaddr_in6 in;
    std::memcpy(&in, address, sizeof in);
    port_ = ntohs(in.sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr)) {
      family_ = Family::v4;
      std::memcpy(bytes_.data(), in.sin6_addr.s6_addr + 12, 4);
    } else {
      family_ = Family::v6;
      std::memcpy(bytes_.data(), &in.sin6_addr, 16);
    }
  }
}

bool PeerAddress::is_loopback() const {
  if (family_ == Family::v4) return bytes_[0] == 127;
  in6_addr v6;
  std::memcpy(&v6, bytes_.data(), sizeof v6);
  return family_ == Family::v6 && IN6_IS_ADDR_LOOPBACK(&v6);
}

std::string PeerAddress::host() const {
  if (family_ == Family::unknown) return "unknown";
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(family_ == Family::v4 ? AF_INET : AF_INET6, bytes_.data(), text, sizeof text);
  return text;
}

std::string PeerAddress::text() const {
  if (family_ == Family::v6) return "[" + host() + "]:" + std::to_string(port_);
  return host() + ":" + std::to_string(port_);
}

size_t PeerAddress::host_hash() const {
  uint64_t high, low;
  std::memcpy(&high, bytes_.data(), 8);
  std::memcpy(&low, bytes_.data() + 8, 8);
  uint64_t mixed = (high ^ (low * 0x9e3779b97f4a7c15ULL)) * 0xbf58476d1ce4e5b9ULL;
  return static_cast<size_t>(mixed ^ (mixed >> 31));
}

}  // namespace gproxy::net
