#include "tests/support/fake_trainer.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <vector>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "worker/attempt_dir.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

PointsLogWriter OpenLog(const JobMessage& job, Clock& clock) {
  auto log = PointsLogWriter::Open(job.attempt_dir + "/" + kPointsLogFile, clock);
  ENSURE(log.ok());
  return *std::move(log);
}

std::string DirName(CheckpointKind kind, std::int64_t step) {
  if (kind == CheckpointKind::kResume) return ResumeDirName(step);
  if (kind == CheckpointKind::kBranch) return "checkpoints/branch-" + std::to_string(step);
  return "checkpoints/" + std::string(CheckpointKindName(kind));
}

void RemoveOldResumePoints(const std::string& root) {
  std::vector<fs::path> points;
  for (const auto& entry : fs::directory_iterator(root)) {
    if (entry.path().filename().string().starts_with("step-")) points.push_back(entry.path());
  }
  std::sort(points.begin(), points.end());
  for (std::size_t i = 0; i + 2 < points.size(); ++i) fs::remove_all(points[i]);
}

}  // namespace

double FakeLoss(std::int64_t step) { return 1.5 + 2.0 / std::sqrt(static_cast<double>(step)); }

FakeTraining::FakeTraining(const JobMessage& job, Clock& clock)
    : job_(job), log_(OpenLog(job, clock)), step_(job.start_step) {
  if (job.start_step > 0) ENSURE(FileExists(job.resume_dir + "/model.safetensors"));
  ENSURE(log_.Append(NumericsRecord{R"({"build":"fake","device":"cpu"})"}).ok());
  ENSURE(WriteFileAtomically(job.attempt_dir + "/" + kTrainerLogFile, "started\n").ok());
}

void FakeTraining::TrainTo(std::int64_t step) {
  std::vector<LossPoint> points;
  while (step_ < std::min(step, job_.to)) {
    ++step_;
    points.push_back({Series::kTrain, step_, FakeLoss(step_)});
    const auto& branches = job_.branch_steps;
    if (!std::binary_search(branches.begin(), branches.end(), step_)) continue;
    ENSURE(log_.Append(points).ok());
    points.clear();
    Checkpoint(CheckpointKind::kBranch);
  }
  ENSURE(log_.Append(points).ok() && log_.Flush().ok());
}

void FakeTraining::Checkpoint(CheckpointKind kind) {
  CheckpointRecord record{.kind = kind, .step = step_, .dir = DirName(kind, step_), .files = {}};
  const std::string dir = job_.attempt_dir + "/" + record.dir;
  ENSURE(MakeDirectories(dir).ok());
  for (const char* name : {"model.safetensors", "config.json"}) {
    const std::string bytes = std::string(name) + " after step " + std::to_string(step_);
    ENSURE(WriteFileAtomically(dir + "/" + name, bytes).ok());
    record.files.push_back({name, Sha256Hex(bytes), static_cast<std::int64_t>(bytes.size())});
  }
  if (kind == CheckpointKind::kResume) RemoveOldResumePoints(job_.attempt_dir + "/checkpoints");
  ENSURE(log_.Append(record).ok());
}

void FakeTraining::Succeed() {
  const std::vector<LossPoint> val = {{Series::kVal, step_, FakeLoss(step_)}};
  ENSURE(log_.Append(val).ok());
  Checkpoint(CheckpointKind::kBest);
  Checkpoint(CheckpointKind::kLast);
  RunResult result;
  result.val_loss = FakeLoss(step_);
  result.device = "cpu";
  result.tokens_per_s = 1000.0 * static_cast<double>(1 + step_ % 3);
  ENSURE(log_.Append(DoneRecord{JobOutcome::kSucceeded, "", step_, result}).ok());
}

void FakeTraining::End(JobOutcome outcome, const std::string& reason) {
  ENSURE(log_.Append(DoneRecord{outcome, reason, step_, std::nullopt}).ok());
}

}  // namespace etude
