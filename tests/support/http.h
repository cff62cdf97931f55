// A client that says to a port of this machine what it is told to, byte by byte.
#ifndef ETUDE_TESTS_SUPPORT_HTTP_H_
#define ETUDE_TESTS_SUPPORT_HTTP_H_

#include <string>

namespace etude {

// Closed when it goes. Fails the test when it waits for longer than 20 s.
class HttpConnection {
 public:
  explicit HttpConnection(const std::string& endpoint);  // 127.0.0.1:PORT
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  void Send(const std::string& bytes) const;
  // Everything up to the other side's end.
  std::string ReadAll() const;

 private:
  int fd_ = -1;
};

// Sends `request` and returns the answer, head and all.
std::string HttpExchange(const std::string& endpoint, const std::string& request);

}  // namespace etude

#endif  // ETUDE_TESTS_SUPPORT_HTTP_H_
