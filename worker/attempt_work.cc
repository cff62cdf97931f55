#include "worker/attempt_work.h"

#include <algorithm>
#include <utility>

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr absl::Duration kFirstRetry = absl::Milliseconds(500);
constexpr absl::Duration kLongestRetry = absl::Seconds(10);
constexpr int kMaxFinishTries = 20;  // of answers that are no cause to wait
constexpr std::size_t kMaxReasonBytes = 2000;
constexpr absl::Duration kSaveAcknowledgedEvery = absl::Seconds(2);
constexpr int kMaxLogUploadTries = 3;  // trainer.log is for people: nothing waits for it for long

AttemptDir DirOf(const AttemptContext& context, const Transport::Assignment& assignment) {
  return {context.state_dir, assignment.job, assignment.attempt};
}

// What the coordinator takes in a reason, with room to spare.
std::string Clipped(const std::string& text) { return text.substr(0, kMaxReasonBytes); }

}  // namespace

AttemptWork::AttemptWork(const AttemptContext& context, Transport::Assignment assignment)
    : context_(context),
      dir_(DirOf(context, assignment)),
      assignment_(std::move(assignment)),
      backoff_(kFirstRetry, kLongestRetry, context.seed),
      spool_(dir_),
      uploads_(dir_, context.worker, *context.transport, *context.next_call, context.seed),
      log_shipment_(dir_, context.worker, *context.transport, *context.next_call, context.seed) {
  MakeDirectory();
}

AttemptWork::AttemptWork(const AttemptContext& context, AttemptDir dir)
    : context_(context),
      dir_(std::move(dir)),
      stage_(Stage::kClosing),
      confirmed_(false),
      backoff_(kFirstRetry, kLongestRetry, context.seed),
      spool_(dir_),
      uploads_(dir_, context.worker, *context.transport, *context.next_call, context.seed),
      log_shipment_(dir_, context.worker, *context.transport, *context.next_call, context.seed),
      trainer_gone_(true),
      fallback_{JobOutcome::kReleased, "the worker restarted", std::nullopt} {
  ReadLog(absl::InfinitePast());
}

Transport::Held AttemptWork::held() const {
  const std::int64_t start = assignment_ ? assignment_->start_step : 0;
  return {.job = dir_.job,
          .attempt = dir_.number,
          .step = std::max(spool_.newest_step(), start),
          .local_step = spool_.local_step()};
}

// Orders.

void AttemptWork::Direct(Transport::Action action) {
  confirmed_ = true;
  switch (action) {
    case Transport::Action::kKeep:
      return;
    case Transport::Action::kCheckpoint:
      if (stage_ != Stage::kTraining || upload_next_ || !uploads_.idle()) return;
      upload_next_ = true;
      if (!wanted_stop_) wanted_stop_ = StopKind::kCheckpoint;
      return;
    case Transport::Action::kRelease:
      return Release("the coordinator asked for it back");
    case Transport::Action::kCancel:
      if (wanted_stop_ == StopKind::kCancel) return;
      wanted_stop_ = StopKind::kCancel;
      stop_reason_ = "cancelled";
      reports_ = false;
      if (stage_ != Stage::kTraining) End({JobOutcome::kCancelled, stop_reason_, std::nullopt});
      return;
    case Transport::Action::kSuperseded:
      superseded_ = true;
      reports_ = false;
      wanted_stop_ = StopKind::kCancel;
      if (stage_ != Stage::kTraining) Discard();
      return;
  }
}

void AttemptWork::Release(const std::string& reason) {
  if (stage_ == Stage::kClosing || stage_ == Stage::kOver || wanted_stop_ == StopKind::kCancel) {
    return;
  }
  stop_reason_ = reason;
  wanted_stop_ = StopKind::kRelease;
  if (stage_ != Stage::kTraining) End({JobOutcome::kReleased, reason, std::nullopt});
}

std::optional<StopKind> AttemptWork::TakeStop() {
  if (stage_ != Stage::kTraining || wanted_stop_ == told_stop_) return std::nullopt;
  told_stop_ = wanted_stop_;
  return told_stop_;
}

JobMessage AttemptWork::MakeJobMessage() const {
  ENSURE(assignment_.has_value());
  return {.job = dir_.job,
          .attempt = dir_.number,
          .config_json = RunConfigToJson(assignment_->config),
          .to = assignment_->to,
          .corpus_dir = context_.corpora->Dir(assignment_->corpus.id),
          .attempt_dir = dir_.Path(),
          .resume_dir =
              assignment_->start_step > 0 ? dir_.Path(ResumeDirName(assignment_->start_step)) : "",
          .start_step = assignment_->start_step,
          .checkpoint_every = context_.checkpoint_every,
          .branch_steps = assignment_->branch_steps};
}

void AttemptWork::TrainerDone(const DoneMessage& done) {
  if (done.error.empty()) {
    fallback_ = {JobOutcome::kCrashed, "the trainer's log does not say how it ended", std::nullopt};
  } else if (done.code == absl::StatusCode::kResourceExhausted) {
    fallback_ = {JobOutcome::kReleased, done.error, std::nullopt};
    wants_hold_ = true;
  } else if (done.code == absl::StatusCode::kDataLoss && assignment_ &&
             assignment_->start_step > 0) {
    // What it was to resume from is damaged: the next attempt must start from somewhere else.
    fallback_ = {JobOutcome::kReleased, done.error, std::nullopt};
    if (spool_.local_step() <= assignment_->start_step) spool_.ForgetResume();
  } else {
    fallback_ = {JobOutcome::kCrashed, done.error, std::nullopt};
  }
  trainer_gone_ = true;
  stage_ = Stage::kClosing;
}

void AttemptWork::TrainerGone(const ExitMeaning& meaning) {
  if (wanted_stop_ == StopKind::kRelease) {
    fallback_ = {JobOutcome::kReleased, stop_reason_ + "; " + meaning.reason, std::nullopt};
  } else {
    fallback_ = {meaning.outcome, meaning.reason, std::nullopt};
  }
  trainer_gone_ = true;
  stage_ = Stage::kClosing;
}

// Preparing.

void AttemptWork::MakeDirectory() {
  absl::Status status = CreateAttemptDir(dir_);
  spool_ = Spool(dir_);  // an earlier attempt of that number may have been in its place
  if (status.ok() && assignment_->local_attempt > 0) {
    status = InheritCheckpoint(dir_, assignment_->local_attempt, assignment_->start_step);
  }
  if (!status.ok()) return CannotPrepare(status);
  RemoveOtherAttempts(dir_);
}

void AttemptWork::CannotPrepare(const absl::Status& status) {
  const bool bad_input = status.code() == absl::StatusCode::kInvalidArgument;
  wants_hold_ = !bad_input && !absl::IsNotFound(status);
  End({bad_input ? JobOutcome::kBadInput : JobOutcome::kReleased,
       "cannot prepare: " + MessageOf(status), std::nullopt});
}

void AttemptWork::AdvancePreparing(absl::Time now) {
  const absl::StatusOr<bool> corpus = context_.corpora->Prepare(assignment_->corpus, now);
  if (absl::IsNotFound(corpus.status())) {
    return CannotPrepare(
        InvalidArgument(MessageOf(corpus.status()) + "; push it again: etude corpus push DIR"));
  }
  if (!corpus.ok()) return CannotPrepare(corpus.status());
  const bool checkpoint = CheckpointReady(now);
  if (*corpus && checkpoint && stage_ == Stage::kPreparing) stage_ = Stage::kReady;
}

bool AttemptWork::CheckpointReady(absl::Time now) {
  if (!assignment_->checkpoint) return true;
  const std::vector<ArtifactFile>& files = assignment_->checkpoint->files;
  if (checkpoint_files_ == files.size() || call_ != 0 || now < retry_at_) {
    return checkpoint_files_ == files.size();
  }
  const ArtifactFile& file = files[checkpoint_files_];
  const std::string dir = dir_.Path(ResumeDirName(assignment_->start_step));
  absl::Status status = IsSafeFileName(file.name)
                            ? MakeDirectories(dir)
                            : InvalidArgument("checkpoint file '" + file.name + "'");
  if (!status.ok()) {
    CannotPrepare(status);
    return false;
  }
  call_ = (*context_.next_call)++;
  context_.transport->Download(call_, file, dir + "/" + file.name);
  return false;
}

void AttemptWork::TakeDownload(const absl::Status& status, absl::Time now) {
  const bool away = status.code() == absl::StatusCode::kUnavailable ||
                    status.code() == absl::StatusCode::kDeadlineExceeded;
  const bool gone = absl::IsNotFound(status);  // the next attempt starts without it
  if (!status.ok() && !gone && (away || ++download_tries_ < kMaxDownloadTries)) {
    retry_at_ = now + backoff_.Next();
    return;
  }
  if (!status.ok()) {
    const absl::StatusCode code = gone ? status.code() : absl::StatusCode::kInternal;
    return CannotPrepare(Annotate(absl::Status(code, status.message()),
                                  "checkpoint of step " + std::to_string(assignment_->start_step)));
  }
  backoff_.Reset();
  const std::vector<ArtifactFile>& files = assignment_->checkpoint->files;
  if (++checkpoint_files_ < files.size()) return;
  const absl::Status noted = NoteCheckpoint(dir_, {.kind = CheckpointKind::kResume,
                                                   .step = assignment_->start_step,
                                                   .dir = ResumeDirName(assignment_->start_step),
                                                   .files = files});
  if (!noted.ok()) CannotPrepare(noted);
}

// Training and after.

void AttemptWork::Advance(absl::Time now) {
  if (!confirmed_ || stage_ == Stage::kOver) return;
  if (upload_due_ == absl::InfinitePast()) upload_due_ = now + context_.upload_every;
  if (stage_ == Stage::kPreparing) AdvancePreparing(now);
  if (stage_ == Stage::kTraining || stage_ == Stage::kClosing) {
    ReadLog(now);
    uploads_.Advance(spool_, now);
    if (now >= save_at_) {
      save_at_ = now + kSaveAcknowledgedEvery;
      spool_.SaveAcknowledged().IgnoreError();  // what is sent again does no harm
    }
  }
  if (stage_ == Stage::kTraining) log_shipment_.Advance(now);
  if (stage_ == Stage::kClosing) AdvanceClosing(now);
}

void AttemptWork::ReadLog(absl::Time now) {
  const absl::Status status = spool_.Poll();
  for (const Spool::FoundCheckpoint& found : spool_.TakeCheckpoints()) TakeCheckpoint(found, now);
  if (status.ok()) return;
  // What is before the damage stays good, and the next attempt makes the rest again.
  LogError("job " + dir_.job.Short() + ": " + MessageOf(status));
  verdict_ = {JobOutcome::kReleased, MessageOf(status), std::nullopt};
  wanted_stop_ = StopKind::kRelease;
  wants_hold_ = true;
}

void AttemptWork::TakeCheckpoint(const Spool::FoundCheckpoint& found, absl::Time now) {
  if (found.record.kind == CheckpointKind::kLast) last_ = found;
  if (found.record.kind == CheckpointKind::kBest) newest_best_ = found;
  // Other jobs wait for it, however this attempt ends.
  if (found.record.kind == CheckpointKind::kBranch) uploads_.Add(found, /*required=*/true);
  if (found.record.kind != CheckpointKind::kResume) return;
  newest_resume_ = found;
  const bool inherited = assignment_ && found.record.step <= assignment_->start_step;
  if (stage_ != Stage::kTraining || inherited) return;
  if (wanted_stop_ == StopKind::kCheckpoint) {
    wanted_stop_.reset();
    told_stop_.reset();
  }
  if (!upload_next_ && now < upload_due_) return;
  upload_next_ = false;
  upload_due_ = now + context_.upload_every;
  if (newest_best_ && best_queued_step_ != newest_best_->record.step) {
    best_queued_step_ = newest_best_->record.step;
    uploads_.Add(*newest_best_, /*required=*/false);
  }
  uploads_.Add(found, /*required=*/false);
}

void AttemptWork::End(Ending ending) {
  ending_ = std::move(ending);
  trainer_gone_ = true;
  stage_ = Stage::kClosing;
  call_ = 0;  // an answer to what was under way counts no more
}

void AttemptWork::Conclude() {
  if (superseded_) return Discard();
  if (verdict_) {
    ending_ = verdict_;
  } else if (wanted_stop_ == StopKind::kCancel) {
    ending_ = {JobOutcome::kCancelled, stop_reason_, std::nullopt};
  } else if (const std::optional<DoneRecord>& done = spool_.done()) {
    const bool released = done->outcome == JobOutcome::kReleased && !stop_reason_.empty();
    ending_ = {done->outcome, released ? stop_reason_ : done->reason, done->result};
  } else {
    ending_ = fallback_;
  }
  if (ending_->outcome == JobOutcome::kBadInput && assignment_) {
    context_.corpora->Distrust(assignment_->corpus.id);
  }
  QueueLastUploads();
}

void AttemptWork::QueueLastUploads() {
  const bool succeeded = ending_->outcome == JobOutcome::kSucceeded;
  const bool released = ending_->outcome == JobOutcome::kReleased;
  if (!succeeded && !released) return;
  if (newest_best_ && best_queued_step_ != newest_best_->record.step) {
    uploads_.Add(*newest_best_, /*required=*/succeeded);
  }
  if (succeeded && last_) uploads_.Add(*last_, /*required=*/true);
  const bool fresh = newest_resume_ && spool_.local_step() == newest_resume_->record.step &&
                     newest_resume_->record.step > uploads_.committed_step() &&
                     (!assignment_ || newest_resume_->record.step > assignment_->start_step);
  if (fresh && (released || !last_)) uploads_.Add(*newest_resume_, /*required=*/succeeded);
}

void AttemptWork::AdvanceClosing(absl::Time now) {
  if (!ending_) {
    if (reports_ && !spool_.drained()) return;
    Conclude();
    if (stage_ == Stage::kOver) return;
    uploads_.Advance(spool_, now);
  }
  if (call_ != 0 || now < retry_at_) return;
  if (!reports_) return SendFinish();
  if (!spool_.drained() || !spool_.acknowledged() || !uploads_.idle()) return;
  if (!uploads_.failure().ok() && ending_->outcome == JobOutcome::kSucceeded) {
    ending_ = {JobOutcome::kReleased, MessageOf(uploads_.failure()), std::nullopt};
    wants_hold_ = true;
  }
  if (!trainer_log_sent_ && FileExists(dir_.Path(kTrainerLogFile))) {
    call_ = (*context_.next_call)++;
    context_.transport->Upload(call_, dir_.Path(kTrainerLogFile));
    return;
  }
  SendFinish();
}

void AttemptWork::TakeTrainerLog(const absl::StatusOr<ArtifactFile>& file, absl::Time now) {
  if (file.ok()) artifacts_ = {*file};
  const bool again =
      !file.ok() && IsTransient(file.status()) && backoff_.failures() < kMaxLogUploadTries;
  if (again) {
    retry_at_ = now + backoff_.Next();
    return;
  }
  trainer_log_sent_ = true;
  backoff_.Reset();
}

void AttemptWork::SendFinish() {
  call_ = (*context_.next_call)++;
  context_.transport->Finish(call_, context_.worker,
                             {.job = dir_.job,
                              .attempt = dir_.number,
                              .outcome = ending_->outcome,
                              .reason = Clipped(ending_->reason),
                              .result = ending_->result,
                              .local_step = KeepsCheckpoint() ? spool_.local_step() : 0,
                              .numerics = spool_.numerics(),
                              .artifacts = artifacts_});
}

void AttemptWork::TakeFinish(const absl::Status& status, absl::Time now) {
  const std::string what = "job " + dir_.job.Short() + " attempt " + std::to_string(dir_.number);
  if (status.ok()) {
    LogInfo(what + " ended: " + std::string(JobOutcomeName(ending_->outcome)) +
            (ending_->reason.empty() ? "" : " (" + ending_->reason + ")"));
    return Leave();
  }
  if (absl::IsFailedPrecondition(status) && !resent_) {
    // It may lack points it once acknowledged (an older store was restored): send all again.
    resent_ = true;
    spool_.Rewind();
    return;
  }
  if (absl::IsFailedPrecondition(status) || absl::IsNotFound(status)) {
    LogWarning(what + " is over for the coordinator: " + MessageOf(status));
    return Discard();
  }
  if (absl::IsInvalidArgument(status) && ending_->outcome == JobOutcome::kSucceeded) {
    ending_ = {JobOutcome::kCrashed, "its success was refused: " + MessageOf(status), std::nullopt};
    return;
  }
  if (!IsTransient(status) && ++finish_tries_ >= kMaxFinishTries) {
    LogError(what + ": gave up telling the coordinator how it ended: " + MessageOf(status));
    return Leave();
  }
  retry_at_ = now + backoff_.Next();
}

bool AttemptWork::Handle(const Event& event, absl::Time now) {
  if (uploads_.Handle(event, now) || log_shipment_.Handle(event, now)) return true;
  const auto is_ours = [&](CallId call) {
    if (call_ == 0 || call != call_) return false;
    call_ = 0;
    return true;
  };
  if (const auto* downloaded = std::get_if<Downloaded>(&event)) {
    if (!is_ours(downloaded->call)) return false;
    TakeDownload(downloaded->status, now);
    return true;
  }
  if (const auto* uploaded = std::get_if<Uploaded>(&event)) {
    if (!is_ours(uploaded->call)) return false;
    TakeTrainerLog(uploaded->file, now);
    return true;
  }
  const auto* finished = std::get_if<FinishAnswered>(&event);
  if (finished == nullptr || !is_ours(finished->call)) return false;
  TakeFinish(finished->status, now);
  return true;
}

Spool::Batch* AttemptWork::NextUnsent() {
  const bool reports = confirmed_ && reports_ && stage_ != Stage::kOver;
  return reports ? spool_.NextUnsent() : nullptr;
}

void AttemptWork::RefusePoints(const std::string& reason) {
  reports_ = false;
  verdict_ = {JobOutcome::kCrashed, "the coordinator refused its points: " + reason, std::nullopt};
  wanted_stop_ = StopKind::kCancel;
  if (stage_ == Stage::kClosing) ending_ = verdict_;
}

bool AttemptWork::KeepsCheckpoint() const {
  return reports_ && spool_.local_step() > 0 &&
         (ending_->outcome == JobOutcome::kReleased || ending_->outcome == JobOutcome::kKilled ||
          ending_->outcome == JobOutcome::kCrashed);
}

void AttemptWork::Leave() {
  if (!KeepsCheckpoint() || !MarkFinished(dir_).ok()) return Discard();
  stage_ = Stage::kOver;
  RemoveOldAttempts(dir_.state_dir);
}

void AttemptWork::Discard() {
  stage_ = Stage::kOver;
  const absl::Status removed = RemoveAttemptDir(dir_);
  if (!removed.ok()) LogWarning(MessageOf(removed));
}

}  // namespace etude
