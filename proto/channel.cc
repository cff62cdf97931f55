#include "proto/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "lib/base/file.h"
#include "lib/base/random.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr int kKeepaliveTimeMs = 20000;
constexpr int kKeepaliveTimeoutMs = 10000;
constexpr int kMaxReconnectBackoffMs = 2000;
// The largest answer is a sweep of kMaxRunsLimit runs, some 7 MiB.
constexpr int kMaxMessageBytes = 32 << 20;
constexpr std::int64_t kMaxTokenFileBytes = 4096;

std::shared_ptr<grpc::Channel> MakeChannel(const ChannelOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxReconnectBackoffMs);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  return grpc::CreateCustomChannel(options.endpoint, ChannelCredentialsOf(options.tls), arguments);
}

}  // namespace

CoordinatorChannel::CoordinatorChannel(ChannelOptions options)
    : options_(std::move(options)), channel_(MakeChannel(options_)) {}

void CoordinatorChannel::Prepare(grpc::ClientContext& context, absl::Duration deadline) const {
  // gRPC takes a point of its own real-time clock; nothing of ours compares against it.
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(deadline));
  // Whatever a caller forgot: no token leaves this machine in plain text.
  const bool safe = options_.tls || IsLoopback(options_.endpoint);
  if (!options_.token.empty() && safe) {
    context.AddMetadata("authorization", "Bearer " + options_.token);
  }
}

absl::StatusOr<std::string> ReadTokenFile(const std::string& path) {
  struct stat facts {};
  if (stat(path.c_str(), &facts) == 0 && (facts.st_mode & 077) != 0) {
    return PermissionDenied("token file " + path + " may be read by others; type: chmod 600 " +
                            path);
  }
  absl::StatusOr<std::string> text = ReadFile(path, kMaxTokenFileBytes);
  if (!text.ok()) {
    return Annotate(text.status(),
                    "token file (start a coordinator with: etude up, or name the file in "
                    "$ETUDE_TOKEN_FILE)");
  }
  while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
  const auto printable = [](char c) { return c > ' ' && c < 127; };
  if (text->empty() || !std::all_of(text->begin(), text->end(), printable)) {
    return InvalidArgument("token file " + path + " does not hold one line with a token");
  }
  return text;
}

absl::Duration RetryDelay(const RetryOptions& options, int attempt, std::uint64_t seed) {
  const double whole = std::min(absl::ToDoubleSeconds(options.max_delay),
                                absl::ToDoubleSeconds(options.first_delay) *
                                    static_cast<double>(1 << std::min(attempt - 1, 20)));
  const double share = 0.5 + 0.5 * CounterRandom(seed, RandomStream::kRetryJitter)
                                       .Uniform(static_cast<std::uint64_t>(attempt));
  return absl::Seconds(whole * share);
}

absl::Status WithRetry(const RetryOptions& options, Clock& clock,
                       const std::function<absl::Status()>& call) {
  for (int attempt = 1;; ++attempt) {
    absl::Status status = call();
    if (status.code() != absl::StatusCode::kUnavailable || attempt >= options.max_attempts)
      return status;
    clock.SleepFor(RetryDelay(options, attempt, static_cast<std::uint64_t>(getpid())));
  }
}

}  // namespace etude
