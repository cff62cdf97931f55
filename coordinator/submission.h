// From the text that a user submits to a sweep and its runs.
#ifndef ETUDE_COORDINATOR_SUBMISSION_H_
#define ETUDE_COORDINATOR_SUBMISSION_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/scaling/run.h"
#include "lib/scaling/sweep.h"
#include "storage/results_store.h"

namespace etude {

struct SubmittedSpec {
  std::string spec_toml;
  std::string file_name;          // for messages
  std::string corpus_id;          // replaces the spec's corpus; empty: it does not
  std::string expected_sweep_id;  // of the plan the user saw; empty: any
};

struct Submission {
  Sweep sweep;
  std::vector<RunConfig> configs;  // in the order of the spec
};

// Parses and plans the spec anew against the stored corpus. Errors are those of ParseSweepSpec and
// PlanSweep; kNotFound: no such corpus; kFailedPrecondition: it is another sweep than expected.
absl::StatusOr<Submission> PrepareSubmission(const SubmittedSpec& spec, ResultsReader& reader);

}  // namespace etude

#endif  // ETUDE_COORDINATOR_SUBMISSION_H_
