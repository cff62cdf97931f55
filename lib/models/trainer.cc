#include "lib/models/trainer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <utility>

#include "lib/base/status.h"
#include "lib/models/adamw.h"
#include "lib/models/checkpoint.h"
#include "lib/models/evaluation.h"
#include "lib/models/numerics.h"
#include "lib/models/point_buffer.h"
#include "lib/models/run_data.h"
#include "lib/models/schedule.h"
#include "lib/music/npy.h"
#include "lib/scaling/trunk.h"

namespace etude {
namespace {

constexpr char kMeanPrefix[] = "exp_avg.";
constexpr char kVariancePrefix[] = "exp_avg_sq.";

TrainReport Ended(JobOutcome outcome, const std::string& reason, std::int64_t step) {
  return {.outcome = outcome, .reason = reason, .step = step, .result = {}};
}

std::string NotFinite(const std::string& what, std::int64_t step) {
  return what + " is not finite at step " + std::to_string(step) +
         "; lower the learning rate and submit again";
}

// One attempt: its weights, where it stands, and what it has measured.
class Training {
 public:
  Training(const TrainRequest& request, RunData data, at::Device device, TrainListener& listener,
           Clock& clock);
  // Puts the attempt where `point` left the run.
  absl::Status Resume(const ResumePoint& point);
  // From here to request.to.
  absl::StatusOr<TrainReport> Run(const std::function<StopRequest()>& stop);

 private:
  struct StepLoss {
    double loss = 0;
    double gradient_norm = 0;
    bool finite() const { return std::isfinite(loss) && std::isfinite(gradient_norm); }
  };
  const RunConfig& config() const { return request_.config; }
  std::int64_t step() const { return progress_.step; }
  double batch_tokens() const {
    return static_cast<double>(config().batch) * config().model.context;
  }
  double LearningRate(std::int64_t step) const {
    return config().lr * ScheduleFactor(config().schedule, step, config().steps);
  }

  // Makes the next update; a loss or norm that is not finite leaves the weights and step() as they
  // were.
  StepLoss TrainStep();
  void LoadBatch(std::int64_t step);
  // False: a probe was not finite.
  bool Probe();
  // One update and what is measured after it; what was not finite, empty if all was.
  std::string Advance();
  absl::Status WriteResumePoint();
  absl::Status WriteBranchPoint();
  bool BranchesLater() const {
    return !request_.branch_steps.empty() && step() < request_.branch_steps.back();
  }
  absl::Status TakeBest(const ResumePoint& point, bool ours);
  absl::Status WriteBest();
  absl::Status WriteLast(const std::vector<LossSum>& documents, RunResult& result);
  absl::StatusOr<TrainReport> Finish();
  // The losses of the whole validation and test splits; the sums by document of the former.
  std::vector<LossSum> ScoreSplits(RunResult& result);
  absl::Status Announce(CheckpointKind kind, std::vector<CheckpointFile> files, std::int64_t step,
                        WrittenCheckpoint* written = nullptr);
  CheckpointFile ModelFile(const at::Tensor& values) const;
  CheckpointFile OptimizerFile() const;
  CheckpointFile ConfigFile(std::int64_t step) const;

  const TrainRequest& request_;
  RunData data_;
  at::Device device_;
  TrainListener& listener_;
  Clock& clock_;
  std::string numerics_;
  std::vector<std::int64_t> probes_;

  Weights weights_;
  std::unique_ptr<Network> network_;
  AdamW optimizer_;
  TrainingOrder order_;
  Evaluation val_;
  Evaluation train_eval_;
  Evaluation test_;
  at::Tensor inputs_;   // int64 [B, T] on the CPU
  at::Tensor targets_;  // the same

  PointBuffer points_;
  CheckpointWriter checkpoints_;
  Progress progress_;
  double attempt_train_seconds_ = 0;
  double train_eval_loss_ = 0;  // of the newest probe
  // Weights of the best probe, kept until best/ holds them and the last branch point is written;
  // undefined when they are not known.
  at::Tensor best_values_;
  bool best_written_ = true;
  absl::Time last_checkpoint_;
};

Training::Training(const TrainRequest& request, RunData data, at::Device device,
                   TrainListener& listener, Clock& clock)
    : request_(request),
      data_(std::move(data)),
      device_(device),
      listener_(listener),
      clock_(clock),
      numerics_(NumericsOf(request.config.threads, request.device)),
      probes_(ProbeSteps(request.config)),
      weights_(request.config.model, device),
      network_(MakeNetwork(request.config.model, request.config.kernels, weights_)),
      optimizer_(request.config.optimizer, weights_),
      order_(static_cast<std::int64_t>(data_.pool.size()), request.config.model.context,
             request.config.stride, request.config.seed),
      val_(data_.val, request.config.model.context, *network_, device),
      train_eval_(data_.pool, request.config.model.context, *network_, device),
      test_(data_.test, request.config.model.context, *network_, device),
      inputs_(at::empty({request.config.batch, request.config.model.context}, at::kLong)),
      targets_(at::empty_like(inputs_)),
      points_(listener),
      checkpoints_(request.attempt_dir),
      last_checkpoint_(clock.MonotonicNow()) {
  if (request.resume_dir.empty()) weights_.Initialize(request.config.seed);
}

absl::Status Training::Resume(const ResumePoint& point) {
  const std::int64_t shared_steps = std::min(BranchStep(point.config.run), BranchStep(config()));
  const bool ours = KeyOf(point.config.run) == KeyOf(config());
  const bool trunk = ShareTrunk(point.config.run, config()) && point.progress.step <= shared_steps;
  if ((!ours && !trunk) || point.config.vocab_sha256 != data_.vocab_sha256) {
    return InvalidArgument("the checkpoint in " + request_.resume_dir +
                           " is of another run; resume from one of run " + KeyOf(config()).Short());
  }
  if (point.progress.step != request_.start_step || point.config.step != request_.start_step) {
    return InvalidArgument("the checkpoint in " + request_.resume_dir + " is of step " +
                           std::to_string(point.progress.step) + ", not " +
                           std::to_string(request_.start_step) + "; ask for its own step");
  }
  RETURN_IF_ERROR(weights_.Restore(point.model, "", weights_.values()));
  RETURN_IF_ERROR(weights_.Restore(point.optimizer, kMeanPrefix, optimizer_.mean()));
  RETURN_IF_ERROR(weights_.Restore(point.optimizer, kVariancePrefix, optimizer_.variance()));
  progress_ = point.progress;
  progress_.mixed_numerics = progress_.mixed_numerics || point.config.numerics != numerics_;
  return TakeBest(point, ours);
}

// The best weights so far: with the branch point, or where an attempt before left them. A branch
// whose trunk did not know them any more begins without.
absl::Status Training::TakeBest(const ResumePoint& point, bool ours) {
  if (!point.best_bytes.empty()) {
    best_values_ = at::empty_like(weights_.values());
    best_written_ = false;
    return weights_.Restore(point.best, "", best_values_);
  }
  if (!ours) progress_.best_step = 0;
  if (!BranchesLater() || progress_.best_step == 0) return absl::OkStatus();
  const absl::StatusOr<std::unique_ptr<SavedWeights>> saved =
      ReadWeights(request_.attempt_dir + "/checkpoints/best");
  if (!saved.ok() || (*saved)->config.step != progress_.best_step) return absl::OkStatus();
  at::Tensor values = at::empty_like(weights_.values());
  if (weights_.Restore((*saved)->model, "", values).ok()) best_values_ = values;
  return absl::OkStatus();
}

void Training::LoadBatch(std::int64_t step) {
  const std::int64_t batch = config().batch;
  for (std::int64_t row = 0; row < batch; ++row) {
    FillWindow(data_.pool, order_.WindowStart((step - 1) * batch + row), row, inputs_, targets_);
  }
}

Training::StepLoss Training::TrainStep() {
  const std::int64_t next = step() + 1;
  LoadBatch(next);
  weights_.gradients().zero_();
  const Dropout dropout(config().model.dropout, config().seed, next);
  const at::Tensor logits = network_->Logits(inputs_.to(device_), dropout);  // [B * T, V]
  const at::Tensor loss = at::cross_entropy_loss(logits, targets_.to(device_).view({-1}));
  loss.backward();
  const at::Tensor norm = optimizer_.GradientNorm();
  const StepLoss result{loss.item<float>(), norm.item<float>()};
  if (!result.finite()) return result;
  optimizer_.Update(next, LearningRate(next), result.gradient_norm);
  progress_.step = next;
  return result;
}

bool Training::Probe() {
  const absl::Time begin = clock_.MonotonicNow();
  const double val = val_.Over(val_.windows().Spread(config().eval.curve_tokens)).mean();
  train_eval_loss_ =
      train_eval_.Over(train_eval_.windows().Spread(config().eval.curve_tokens)).mean();
  progress_.eval_seconds += absl::ToDoubleSeconds(clock_.MonotonicNow() - begin);
  if (!std::isfinite(val) || !std::isfinite(train_eval_loss_)) return false;
  points_.Add(Series::kValProbe, step(), val);
  points_.Add(Series::kTrainEval, step(), train_eval_loss_);
  if (progress_.best_step == 0 || val < progress_.best_val_loss) {
    progress_.best_step = step();
    progress_.best_val_loss = val;
    best_values_ = weights_.values().clone();
    best_written_ = false;
  }
  return true;
}

absl::StatusOr<TrainReport> Training::Run(const std::function<StopRequest()>& stop) {
  while (step() < request_.to) {
    const StopRequest asked = stop();
    if (asked == StopRequest::kCancel) {
      RETURN_IF_ERROR(points_.Flush());
      return Ended(JobOutcome::kCancelled, "cancelled by request", step());
    }
    const bool due = clock_.MonotonicNow() - last_checkpoint_ >= request_.checkpoint_every;
    if ((asked != StopRequest::kNone || due) && step() > request_.start_step) {
      RETURN_IF_ERROR(WriteResumePoint());
    }
    if (asked == StopRequest::kRelease) {
      return Ended(JobOutcome::kReleased, "released by request", step());
    }
    if (const std::string broken = Advance(); !broken.empty()) {
      RETURN_IF_ERROR(points_.Flush());
      return Ended(JobOutcome::kDiverged, broken, step());
    }
    const auto& branches = request_.branch_steps;
    if (std::binary_search(branches.begin(), branches.end(), step())) {
      RETURN_IF_ERROR(WriteBranchPoint());
    }
    RETURN_IF_ERROR(points_.FlushIfDue(clock_.MonotonicNow()));
  }
  return Finish();
}

std::string Training::Advance() {
  const std::int64_t next = step() + 1;
  const absl::Time begin = clock_.MonotonicNow();
  const StepLoss result = TrainStep();
  const double seconds = absl::ToDoubleSeconds(clock_.MonotonicNow() - begin);
  if (!result.finite()) return NotFinite("the loss or its gradient", next);
  attempt_train_seconds_ += seconds;
  progress_.train_seconds += seconds;
  points_.Add(Series::kTrain, next, result.loss);
  points_.Add(Series::kLearningRate, next, LearningRate(next));
  points_.Add(Series::kGradNorm, next, result.gradient_norm);
  if (seconds > 0) points_.Add(Series::kTokensPerSecond, next, batch_tokens() / seconds);
  if (std::binary_search(probes_.begin(), probes_.end(), next) && !Probe()) {
    return NotFinite("an evaluation loss", next);
  }
  return "";
}

absl::StatusOr<TrainReport> Training::Finish() {
  TrainReport report{.outcome = JobOutcome::kSucceeded, .reason = "", .step = step(), .result = {}};
  RunResult& result = report.result;
  if (step() < config().steps) {  // a segment: others go on from its last step
    RETURN_IF_ERROR(WriteResumePoint());
  } else {
    // Resumed after the last step, which was probed by another attempt, in another process.
    const bool probed = step() > request_.start_step || Probe();
    const std::vector<LossSum> documents = ScoreSplits(result);
    if (!probed || !std::isfinite(result.val_loss) || !std::isfinite(result.test_loss)) {
      RETURN_IF_ERROR(points_.Flush());
      return Ended(JobOutcome::kDiverged, NotFinite("an evaluation loss", step()), step());
    }
    points_.Add(Series::kVal, step(), result.val_loss);
    points_.Add(Series::kTest, step(), result.test_loss);
    RETURN_IF_ERROR(WriteBest());
    RETURN_IF_ERROR(WriteLast(documents, result));
  }
  RETURN_IF_ERROR(points_.Flush());
  const double trained = static_cast<double>(step() - request_.start_step) * batch_tokens();
  result.tokens_per_s = attempt_train_seconds_ > 0 ? trained / attempt_train_seconds_ : 0;
  result.train_seconds = progress_.train_seconds;
  result.eval_seconds = progress_.eval_seconds;
  result.train_eval_loss = train_eval_loss_;
  result.best_step = progress_.best_step;
  result.best_val_loss = progress_.best_val_loss;
  result.device = device_.is_cuda() ? "cuda" : "cpu";
  result.mixed_numerics = progress_.mixed_numerics;
  return report;
}

std::vector<LossSum> Training::ScoreSplits(RunResult& result) {
  const absl::Time begin = clock_.MonotonicNow();
  std::vector<LossSum> documents = val_.ByDocument(data_.val_documents);
  LossSum val;
  for (const LossSum& document : documents) {
    val.nats += document.nats;
    val.targets += document.targets;
  }
  result.val_loss = val.mean();
  const auto whole_split = static_cast<std::int64_t>(data_.test.size());
  result.test_loss = test_.Over(test_.windows().Spread(whole_split)).mean();
  progress_.eval_seconds += absl::ToDoubleSeconds(clock_.MonotonicNow() - begin);
  return documents;
}

CheckpointFile Training::ModelFile(const at::Tensor& values) const {
  const at::Tensor host = values.cpu();
  return {kModelFile, EncodeSafetensors(weights_.ArraysOf(host, ""), {{"format", "pt"}})};
}

CheckpointFile Training::OptimizerFile() const {
  const at::Tensor mean = optimizer_.mean().cpu(), variance = optimizer_.variance().cpu();
  std::vector<NamedArray> arrays = weights_.ArraysOf(mean, kMeanPrefix);
  const std::vector<NamedArray> variances = weights_.ArraysOf(variance, kVariancePrefix);
  arrays.insert(arrays.end(), variances.begin(), variances.end());
  const std::int64_t step = progress_.step;
  arrays.push_back({"step", ElementType::kI64, {}, std::as_bytes(std::span(&step, 1))});
  return {kOptimizerFile, EncodeSafetensors(std::move(arrays), EncodeProgress(progress_))};
}

CheckpointFile Training::ConfigFile(std::int64_t step) const {
  return {kConfigFile, EncodeCheckpointConfig({.run = config(),
                                               .numerics = numerics_,
                                               .vocab_sha256 = data_.vocab_sha256,
                                               .step = step})};
}

absl::Status Training::Announce(CheckpointKind kind, std::vector<CheckpointFile> files,
                                std::int64_t step, WrittenCheckpoint* written) {
  RETURN_IF_ERROR(points_.Flush());
  files.push_back(ConfigFile(step));
  ASSIGN_OR_RETURN(WrittenCheckpoint checkpoint, checkpoints_.Write(kind, step, files));
  if (written != nullptr) *written = checkpoint;
  return listener_.OnCheckpoint(checkpoint);
}

absl::Status Training::WriteResumePoint() {
  RETURN_IF_ERROR(WriteBest());  // a resume point promises that the best weights it names exist
  RETURN_IF_ERROR(
      Announce(CheckpointKind::kResume, {ModelFile(weights_.values()), OptimizerFile()}, step()));
  last_checkpoint_ = clock_.MonotonicNow();
  return absl::OkStatus();
}

// Whoever starts here has no other checkpoint of this job, so the best weights go with it. They are
// unknown to an attempt that resumed after they were made; the branch then has none either, until a
// probe of its own, and says so.
absl::Status Training::WriteBranchPoint() {
  std::vector<CheckpointFile> files = {ModelFile(weights_.values()), OptimizerFile()};
  if (best_values_.defined()) {
    CheckpointFile best = ModelFile(best_values_);
    best.name = kBestFile;
    files.push_back(std::move(best));
  }
  return Announce(CheckpointKind::kBranch, std::move(files), step());
}

absl::Status Training::WriteBest() {
  if (best_written_) return absl::OkStatus();
  RETURN_IF_ERROR(Announce(CheckpointKind::kBest, {ModelFile(best_values_)}, progress_.best_step));
  best_written_ = true;
  if (!BranchesLater()) best_values_.reset();
  return absl::OkStatus();
}

absl::Status Training::WriteLast(const std::vector<LossSum>& documents, RunResult& result) {
  std::vector<double> rows;
  for (const LossSum& document : documents) {
    rows.push_back(document.nats);
    rows.push_back(static_cast<double>(document.targets));
  }
  const std::string npy = MatrixToNpy(rows, static_cast<std::int64_t>(documents.size()), 2);
  WrittenCheckpoint written;
  RETURN_IF_ERROR(Announce(
      CheckpointKind::kLast,
      {ModelFile(weights_.values()), OptimizerFile(), {kValDocumentsFile, npy}}, step(), &written));
  result.weights_sha256 = written.files.front().sha256;
  return absl::OkStatus();
}

absl::Status CheckRequest(const TrainRequest& request) {
  if (request.to < 1 || request.to > request.config.steps || request.start_step > request.to ||
      request.start_step < 0 || (request.start_step == 0) != request.resume_dir.empty()) {
    return InvalidArgument("cannot train steps (" + std::to_string(request.start_step) + ", " +
                           std::to_string(request.to) + "] of a run of " +
                           std::to_string(request.config.steps) + "; submit the sweep again");
  }
  return absl::OkStatus();
}

bool IsBadInput(const absl::Status& status) {
  return status.code() == absl::StatusCode::kInvalidArgument ||
         status.code() == absl::StatusCode::kDataLoss;
}

absl::StatusOr<TrainReport> TrainOrThrow(const TrainRequest& request, TrainListener& listener,
                                         const std::function<StopRequest()>& stop, Clock& clock) {
  const auto refused = [&](const absl::Status& status) {
    return Ended(JobOutcome::kBadInput, MessageOf(status), request.start_step);
  };
  if (const absl::Status status = CheckRequest(request); !status.ok()) return refused(status);
  ASSIGN_OR_RETURN(const at::Device device, ResolveDevice(request.device));
  PrepareLibTorch(std::max(1, request.config.threads));
  absl::StatusOr<RunData> data = LoadRunData(request.config, request.corpus_dir);
  if (!data.ok()) {
    if (IsBadInput(data.status())) return refused(data.status());
    return data.status();
  }
  Training attempt(request, *std::move(data), device, listener, clock);
  if (!request.resume_dir.empty()) {
    ASSIGN_OR_RETURN(const std::unique_ptr<ResumePoint> point, ReadResumePoint(request.resume_dir));
    const absl::Status resumed = attempt.Resume(*point);
    if (absl::IsInvalidArgument(resumed)) return refused(resumed);
    RETURN_IF_ERROR(resumed);
  }
  return attempt.Run(stop);
}

// LibTorch's CPU allocator has no exception type of its own, so its words are all there is.
bool IsCpuOutOfMemory(const c10::Error& error) {
  return std::strstr(error.what_without_backtrace(), "can't allocate memory") != nullptr;
}

TrainReport OutOfMemory(const TrainRequest& request) {
  return Ended(JobOutcome::kOutOfMemory,
               "out of memory training " + ShapeText(request.config.model) + " at batch " +
                   std::to_string(request.config.batch) +
                   "; lower the batch or use a larger machine",
               request.start_step);
}

}  // namespace

absl::StatusOr<TrainReport> Train(const TrainRequest& request, TrainListener& listener,
                                  const std::function<StopRequest()>& stop, Clock& clock) {
  try {
    return TrainOrThrow(request, listener, stop, clock);
  } catch (const c10::OutOfMemoryError&) {
    return OutOfMemory(request);
  } catch (const std::bad_alloc&) {
    return OutOfMemory(request);
  } catch (const c10::Error& error) {
    if (IsCpuOutOfMemory(error)) return OutOfMemory(request);
    return Internal(std::string("training failed inside LibTorch: ") +
                    error.what_without_backtrace());
  } catch (const std::exception& error) {
    return Internal(std::string("training failed: ") + error.what());
  }
}

}  // namespace etude
