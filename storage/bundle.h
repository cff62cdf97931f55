// A bundle: a sweep with everything that is stored of it, as values, so that one coordinator can
// hand it to another. Its form in a file is bundle_rows.h's.
#ifndef ETUDE_STORAGE_BUNDLE_H_
#define ETUDE_STORAGE_BUNDLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/scaling/corpus.h"
#include "lib/scaling/forecast.h"
#include "lib/scaling/job.h"
#include "lib/scaling/loss_point.h"
#include "lib/scaling/run.h"
#include "lib/scaling/sweep.h"
#include "storage/change.h"
#include "storage/sqlite.h"

namespace etude {

// Loss points of one bundle: it is imported in one transaction, which nothing else interrupts. A
// million take about a second.
inline constexpr std::int64_t kMaxBundlePoints = 8'000'000;
inline constexpr std::size_t kMaxBundleRuns = 100'000;

struct BundledAttempt {
  Attempt attempt;  // that has ended
  std::vector<ArtifactFile> artifacts;
  std::vector<LossPoint> points;  // by (series, step)
};

struct BundledJob {
  Job job;
  std::vector<BundledAttempt> attempts;      // by number; at least one
  std::vector<CheckpointAdded> checkpoints;  // of all kinds
};

struct Bundle {
  Sweep sweep;
  Corpus corpus;  // id, name and files; what else there is to know stands in corpus.json
  // The sweep's in its order, then those of other sweeps whose trunk they share. None is running:
  // what was, is queued.
  std::vector<Run> runs;
  std::vector<BundledJob> jobs;  // those that were ever leased, parents before their children
  // The paths, in order, of the runs all of whose jobs are here. A run without one begins anew from
  // the furthest branch point.
  std::vector<Segment> segments;
  std::vector<SweepFit> fits;  // by which a prediction was made
  std::vector<FrozenPrediction> predictions;
};

// Reads a sweep in one snapshot of `database`. What runs is taken as given back at `now_us`; a run
// of another sweep that has not ended, as cancelled. kNotFound. kResourceExhausted: too many points
// or runs.
absl::StatusOr<Bundle> ReadBundle(Database& database, const SweepId& sweep, std::int64_t now_us);

// Whether the parts fit together, and ids are the hashes of what they name, the corpus' left out.
// kDataLoss says what is wrong: the scheduler and the store may trust what has passed.
absl::Status CheckBundle(const Bundle& bundle);

// Every file that a row names, each hash once, in the order of the rows; the corpus' first.
std::vector<ArtifactFile> FilesOf(const Bundle& bundle);

}  // namespace etude

#endif  // ETUDE_STORAGE_BUNDLE_H_
