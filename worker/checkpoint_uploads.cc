#include "worker/checkpoint_uploads.h"

#include <algorithm>
#include <utility>

#include "lib/base/log.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr absl::Duration kFirstRetry = absl::Milliseconds(500);
constexpr absl::Duration kLongestRetry = absl::Seconds(10);

}  // namespace

bool IsTransient(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kCancelled:
      return true;
    default:
      return false;
  }
}

CheckpointUploads::CheckpointUploads(AttemptDir dir, WorkerId worker, Transport& transport,
                                     CallId& next_call, std::uint64_t seed)
    : dir_(std::move(dir)),
      worker_(std::move(worker)),
      transport_(transport),
      next_call_(next_call),
      backoff_(kFirstRetry, kLongestRetry, seed) {}

void CheckpointUploads::Add(const Spool::FoundCheckpoint& checkpoint, bool required) {
  const auto first =
      queue_.begin() + (call_ != 0 || (!queue_.empty() && queue_.front().uploaded > 0));
  queue_.erase(std::remove_if(first, queue_.end(),
                              [&](const Item& item) {
                                return item.record.kind == checkpoint.record.kind &&
                                       item.record.kind != CheckpointKind::kBranch;
                              }),
               queue_.end());
  queue_.push_back({checkpoint.record, checkpoint.offset, required});
}

void CheckpointUploads::Advance(const Spool& spool, absl::Time now) {
  if (queue_.empty() || call_ != 0 || now < retry_at_) return;
  const Item& item = queue_.front();
  if (item.uploaded < item.record.files.size()) {
    call_ = next_call_++;
    transport_.Upload(call_,
                      dir_.Path(item.record.dir) + "/" + item.record.files[item.uploaded].name);
  } else if (spool.AcknowledgedThrough(item.offset)) {
    call_ = next_call_++;
    transport_.CommitCheckpoint(call_, worker_,
                                {.job = dir_.job,
                                 .attempt = dir_.number,
                                 .kind = item.record.kind,
                                 .step = item.record.step,
                                 .files = item.record.files});
  }
}

bool CheckpointUploads::Handle(const Event& event, absl::Time now) {
  if (call_ == 0) return false;
  if (const auto* uploaded = std::get_if<Uploaded>(&event); uploaded && uploaded->call == call_) {
    call_ = 0;
    TakeUpload(uploaded->file, now);
    return true;
  }
  const auto* committed = std::get_if<CheckpointCommitted>(&event);
  if (committed == nullptr || committed->call != call_) return false;
  call_ = 0;
  TakeCommit(committed->status, now);
  return true;
}

void CheckpointUploads::TakeUpload(const absl::StatusOr<ArtifactFile>& file, absl::Time now) {
  Item& item = queue_.front();
  if (!file.ok() && IsTransient(file.status())) {
    retry_at_ = now + backoff_.Next();
    return;
  }
  if (!file.ok()) return GiveUp(file.status());
  const ArtifactFile& expected = item.record.files[item.uploaded];
  if (file->sha256 != expected.sha256) {
    return GiveUp(DataLoss(expected.name + " is not what the trainer wrote"));
  }
  backoff_.Reset();
  ++item.uploaded;
}

void CheckpointUploads::TakeCommit(const absl::Status& status, absl::Time now) {
  if (!status.ok() && IsTransient(status)) {
    retry_at_ = now + backoff_.Next();
    return;
  }
  if (!status.ok()) return GiveUp(status);
  backoff_.Reset();
  const CheckpointRecord& record = queue_.front().record;
  if (record.kind == CheckpointKind::kResume) {
    committed_step_ = record.step;
    committed_at_ = now;
  }
  queue_.pop_front();
}

// The trainer keeps the two newest resume checkpoints and the newest best one, so an upload may
// find its files gone; the next checkpoint then takes its place.
void CheckpointUploads::GiveUp(const absl::Status& why) {
  const Item& item = queue_.front();
  const std::string what = std::string(CheckpointKindName(item.record.kind)) +
                           " checkpoint of step " + std::to_string(item.record.step) + " of job " +
                           dir_.job.Short();
  if (item.required && failure_.ok()) failure_ = Annotate(why, what);
  LogWarning("gave up uploading the " + what + ": " + MessageOf(why));
  queue_.pop_front();
}

}  // namespace etude
