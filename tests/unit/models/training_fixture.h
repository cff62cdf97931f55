// Small corpora, runs and listeners for the tests of training.
#ifndef ETUDE_TESTS_UNIT_MODELS_TRAINING_FIXTURE_H_
#define ETUDE_TESTS_UNIT_MODELS_TRAINING_FIXTURE_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lib/models/trainer.h"

namespace etude {

struct TestCorpus {
  std::string dir;
  CorpusId id;
  int vocab = 0;
  std::int64_t train_tokens = 0;
};
// Tunes of a few letters that follow each other by simple rules; 3000, 700 and 500 tokens. Made
// once a process.
const TestCorpus& SmallCorpus();

std::string NewDirectory();

// 12 steps of 4 windows of 16 tokens on a pool of 400, so that an epoch ends inside.
RunConfig TinyRun(Family family);

// Time goes on by a millisecond whenever it is asked.
class TickingClock : public Clock {
 public:
  absl::Time Now() override { return MonotonicNow(); }
  absl::Time MonotonicNow() override { return now_ += absl::Milliseconds(1); }
  void SleepFor(absl::Duration duration) override { now_ += duration; }

 private:
  absl::Time now_ = absl::UnixEpoch();
};

struct Recorder : TrainListener {
  absl::Status OnPoints(std::span<const LossPoint> batch) override {
    points.insert(points.end(), batch.begin(), batch.end());
    return absl::OkStatus();
  }
  absl::Status OnCheckpoint(const WrittenCheckpoint& checkpoint) override {
    checkpoints.push_back(checkpoint);
    return absl::OkStatus();
  }
  std::vector<LossPoint> Of(Series series) const;
  // All but timing, which repeats in no two runs.
  std::vector<LossPoint> Repeatable() const;
  const WrittenCheckpoint* Newest(CheckpointKind kind) const;

  std::vector<LossPoint> points;
  std::vector<WrittenCheckpoint> checkpoints;
};

TrainRequest RequestFor(const RunConfig& config);

struct Trained {
  TrainRequest request;
  absl::StatusOr<TrainReport> report;
  Recorder heard;
};
// `stop` is asked with the number of the call, from 0.
Trained TrainNow(
    const TrainRequest& request,
    const std::function<StopRequest(int)>& stop = [](int) { return StopRequest::kNone; });

// Runs a script of tests/oracles; its standard output, or nullopt after an error. Empty when there
// is no Python.
std::string PythonPath();
std::optional<std::string> RunOracle(const std::string& script, const std::string& arguments);

}  // namespace etude

#endif  // ETUDE_TESTS_UNIT_MODELS_TRAINING_FIXTURE_H_
