// The benchmarks of etude-bench: each drives a real coordinator process, on a state directory of
// its own, with simulated workers.
#ifndef ETUDE_TESTS_BENCH_BENCH_H_
#define ETUDE_TESTS_BENCH_BENCH_H_

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace etude {

class BenchBed;

enum class Scale { kSmall, kFull };

struct BenchOptions {
  Scale scale = Scale::kSmall;
  absl::Duration length = absl::Seconds(2);  // of each timed phase
  int repeats = 5;
  int connections = 16;  // that the simulated workers share
};

struct Number {
  std::string key;  // its unit ends it
  double value = 0;
};

// What one repeat measured; every repeat of a benchmark has the same keys.
using Measurement = std::vector<Number>;

struct Outcome {
  std::vector<Measurement> repeats;
  std::vector<std::string> notes;  // what the numbers do not say: limits met, loads offered
};

// What a number ought to be, at full scale.
struct Target {
  const char* key;
  enum class Kind { kAtLeast, kBelow } kind;
  double bound;
};

struct Bench {
  const char* name;
  const char* summary;
  std::vector<Target> targets;
  absl::StatusOr<Outcome> (*run)(BenchBed& bed, const BenchOptions& options);
};
std::span<const Bench> Benches();

absl::StatusOr<Outcome> RunIngest(BenchBed& bed, const BenchOptions& options);
absl::StatusOr<Outcome> RunDispatch(BenchBed& bed, const BenchOptions& options);
absl::StatusOr<Outcome> RunSubmit(BenchBed& bed, const BenchOptions& options);
absl::StatusOr<Outcome> RunFleet(BenchBed& bed, const BenchOptions& options);
absl::StatusOr<Outcome> RunRecover(BenchBed& bed, const BenchOptions& options);
absl::StatusOr<Outcome> RunQuery(BenchBed& bed, const BenchOptions& options);

}  // namespace etude

#endif  // ETUDE_TESTS_BENCH_BENCH_H_
