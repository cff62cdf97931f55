#include "tests/support/http.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace etude {
namespace {

constexpr timeval kPatience = {20, 0};

}  // namespace

HttpConnection::HttpConnection(const std::string& endpoint) {
  const std::size_t colon = endpoint.rfind(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(endpoint.substr(colon + 1))));
  EXPECT_EQ(inet_pton(AF_INET, endpoint.substr(0, colon).c_str(), &address.sin_addr), 1);
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0) << endpoint;
}

HttpConnection::~HttpConnection() { close(fd_); }

void HttpConnection::Send(const std::string& bytes) const {
  send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

std::string HttpConnection::ReadAll() const {
  std::string all;
  std::array<char, 4096> part{};
  for (;;) {
    const ssize_t got = recv(fd_, part.data(), part.size(), 0);
    EXPECT_FALSE(got < 0 && errno == EAGAIN) << "no answer";
    if (got <= 0) return all;
    all.append(part.data(), static_cast<std::size_t>(got));
  }
}

std::string HttpExchange(const std::string& endpoint, const std::string& request) {
  const HttpConnection connection(endpoint);
  connection.Send(request);
  return connection.ReadAll();
}

}  // namespace etude
