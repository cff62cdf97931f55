// The way to a coordinator: an authenticated channel, deadlines, and retries that are jittered and
// capped.
#ifndef ETUDE_PROTO_CHANNEL_H_
#define ETUDE_PROTO_CHANNEL_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "proto/tls.h"

namespace etude {

inline constexpr absl::Duration kControlDeadline = absl::Seconds(5);
inline constexpr absl::Duration kDataDeadline = absl::Seconds(30);

struct ChannelOptions {
  std::string endpoint;  // "host:port"
  std::string token;     // sent with every call, over TLS or on this machine; empty: none
  std::optional<TlsIdentity> tls = std::nullopt;  // nullopt: plain text
};

// Thread-safe.
class CoordinatorChannel {
 public:
  // Connects lazily: a coordinator that is not there is an error of the first call, not of this
  // one.
  explicit CoordinatorChannel(ChannelOptions options);

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  const std::string& endpoint() const { return options_.endpoint; }
  bool secured() const { return options_.tls.has_value(); }
  // Sets the token and the deadline on a call's context, which must be fresh.
  void Prepare(grpc::ClientContext& context, absl::Duration deadline) const;

 private:
  ChannelOptions options_;
  std::shared_ptr<grpc::Channel> channel_;
};

// Reads a token file: one line. kNotFound and kPermissionDenied say what to type; a file that group
// or others may read is refused.
absl::StatusOr<std::string> ReadTokenFile(const std::string& path);

struct RetryOptions {
  int max_attempts = 4;
  absl::Duration first_delay = absl::Milliseconds(100);
  absl::Duration max_delay = absl::Seconds(1);
};

// The wait before attempt number `attempt` + 1 (attempt from 1): exponential, capped, between half
// and the whole of it by `seed`.
absl::Duration RetryDelay(const RetryOptions& options, int attempt, std::uint64_t seed);

// Calls until the answer is something else than kUnavailable, or the attempts are used up.
absl::Status WithRetry(const RetryOptions& options, Clock& clock,
                       const std::function<absl::Status()>& call);

}  // namespace etude

#endif  // ETUDE_PROTO_CHANNEL_H_
