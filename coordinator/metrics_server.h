// A small HTTP server for a scraper on this machine: /metrics and /healthz, and nothing else.
#ifndef ETUDE_COORDINATOR_METRICS_SERVER_H_
#define ETUDE_COORDINATOR_METRICS_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace etude {

// It asks for no token, so it serves this machine alone. kInvalidArgument: `address` is not
// ADDRESS:PORT, or other machines can reach it; says what to do instead.
absl::Status CheckMetricsAddress(const std::string& address);

// Thread-safe. Takes GET and HEAD, one request a connection. A header beyond kMaxHeaderBytes, a
// body, another method or a Host that is not this machine is refused; a request that has not come,
// or an answer that has not gone, within the deadline is dropped. Connections beyond the limit wait
// until one of the others ends.
class MetricsServer {
 public:
  // Called on the server's own thread.
  struct Answers {
    std::function<std::string()> metrics;  // the text of /metrics
    std::function<std::string()> trouble;  // why /healthz is 503; empty: it is 200
  };
  struct Limits {
    absl::Duration deadline = absl::Seconds(5);
    int connections = 16;
  };
  static constexpr std::size_t kMaxHeaderBytes = 8192;

  // Port 0 picks a free one. Errors of CheckMetricsAddress; kAlreadyExists: the port is taken.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(const std::string& address,
                                                              Answers answers,
                                                              const Limits& limits);
  ~MetricsServer();

  // ADDRESS:PORT with the real port.
  const std::string& endpoint() const;

 private:
  class Loop;
  explicit MetricsServer(std::unique_ptr<Loop> loop);

  std::unique_ptr<Loop> loop_;
};

}  // namespace etude

#endif  // ETUDE_COORDINATOR_METRICS_SERVER_H_
