// A server on a port of this machine that gives one file, in ranges, and may break off.
#ifndef ETUDE_TESTS_SUPPORT_HTTP_FILE_SERVER_H_
#define ETUDE_TESTS_SUPPORT_HTTP_FILE_SERVER_H_

#include <cstddef>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace etude {

class HttpFileServer {
 public:
  struct Options {
    // Of the first answers: the bytes of content after which each is cut off. The later are whole.
    std::vector<std::size_t> cuts = {};
    bool knows_ranges = true;
  };

  HttpFileServer(std::string content, Options options);
  ~HttpFileServer();
  HttpFileServer(const HttpFileServer&) = delete;
  HttpFileServer& operator=(const HttpFileServer&) = delete;

  std::string url() const;
  // The heads of the requests so far.
  std::vector<std::string> requests() const;

 private:
  void Serve();
  void Answer(int connection, std::size_t cut);

  const std::string content_;
  const Options options_;
  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::jthread thread_;
};

}  // namespace etude

#endif  // ETUDE_TESTS_SUPPORT_HTTP_FILE_SERVER_H_
