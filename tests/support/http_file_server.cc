#include "tests/support/http_file_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace etude {
namespace {

std::string ReadHead(int connection) {
  std::string head;
  std::array<char, 1024> part{};
  while (head.find("\r\n\r\n") == std::string::npos) {
    const ssize_t got = recv(connection, part.data(), part.size(), 0);
    if (got <= 0) break;
    head.append(part.data(), static_cast<std::size_t>(got));
  }
  return head;
}

void Send(int connection, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

}  // namespace

HttpFileServer::HttpFileServer(std::string content, Options options)
    : content_(std::move(content)), options_(std::move(options)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(listen(listener_, 8), 0);
  EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::jthread([this] { Serve(); });
}

HttpFileServer::~HttpFileServer() {
  shutdown(listener_, SHUT_RDWR);  // wakes the thread, which then ends
  thread_.join();
  close(listener_);
}

std::string HttpFileServer::url() const {
  return "http://127.0.0.1:" + std::to_string(port_) + "/file.tar.gz";
}

std::vector<std::string> HttpFileServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void HttpFileServer::Serve() {
  for (std::size_t nth = 0;; ++nth) {
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    Answer(connection, nth < options_.cuts.size() ? options_.cuts[nth] : content_.size());
    close(connection);
  }
}

void HttpFileServer::Answer(int connection, std::size_t cut) {
  const std::string head = ReadHead(connection);
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(head);
  }
  constexpr std::string_view kRange = "Range: bytes=";
  const std::size_t range = head.find(kRange);
  const bool part = range != std::string::npos && options_.knows_ranges;
  const std::size_t from =
      part ? std::min<std::size_t>(std::stoul(head.substr(range + kRange.size())), content_.size())
           : 0;
  const std::string size = std::to_string(content_.size());
  std::string answer = part ? "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes " +
                                  std::to_string(from) + "-" + std::to_string(content_.size() - 1) +
                                  "/" + size + "\r\n"
                            : "HTTP/1.1 200 OK\r\n";
  answer +=
      "Connection: close\r\nContent-Length: " + std::to_string(content_.size() - from) + "\r\n\r\n";
  Send(connection, answer + content_.substr(from, cut));
}

}  // namespace etude
