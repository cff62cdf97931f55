// A store with a history, made through the services as workers would make it.
#ifndef ETUDE_TESTS_BENCH_STUDY_FILL_H_
#define ETUDE_TESTS_BENCH_STUDY_FILL_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "tests/bench/bench.h"
#include "tests/bench/bench_bed.h"

namespace etude {

struct StudySize {
  std::string prefix;      // of the sweeps' names: PREFIX-0, PREFIX-1, ...
  int trained_runs = 0;    // finished, with all their points
  int queued_runs = 0;     // not yet leased
  std::int64_t steps = 0;  // of each run
  std::int64_t points() const;
};

// The trained runs' sweeps come first; each sweep has as many runs as a spec may have.
absl::Status FillStudy(const BenchBed& bed, const BenchOptions& options, const StudySize& size);

}  // namespace etude

#endif  // ETUDE_TESTS_BENCH_STUDY_FILL_H_
