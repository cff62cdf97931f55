// What a benchmark asks as a person would: corpora, sweeps, runs, curves. Each call waits for its
// answer.
#ifndef ETUDE_TESTS_BENCH_BENCH_CLIENT_H_
#define ETUDE_TESTS_BENCH_BENCH_CLIENT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "etude/v1/client.grpc.pb.h"
#include "tests/bench/coordinator_process.h"

namespace etude {

// What the shipped client takes in one message (proto/channel.cc); longer answers are measured here
// all the same, and noted.
inline constexpr std::size_t kShippedReplyBytes = std::size_t{32} << 20;

// Runs that differ in their seed alone.
struct SweepSize {
  std::string name;
  int runs = 1;
  std::int64_t steps = 1;
  std::uint64_t first_seed = 1;
};

// Thread-safe.
class BenchClient {
 public:
  explicit BenchClient(const CoordinatorAddress& address);

  // Pushes a corpus of made-up sizes, which no one trains on; its files lie in `directory` for a
  // moment.
  absl::Status PushCorpus(const std::string& directory);

  absl::StatusOr<v1::SubmitSweepResponse> Submit(const SweepSize& size);
  // limit 0: all of them.
  absl::StatusOr<v1::ListRunsResponse> ListRuns(const std::string& sweep, int offset = 0,
                                                int limit = 0);
  absl::StatusOr<std::int64_t> CountCurve(const std::string& run);  // reads it all
  absl::StatusOr<v1::GetInfoResponse> Info();

 private:
  const CoordinatorAddress address_;
  const std::unique_ptr<v1::ClientService::Stub> stub_;
};

}  // namespace etude

#endif  // ETUDE_TESTS_BENCH_BENCH_CLIENT_H_
