// One attempt on this worker, from its assignment to the moment the coordinator knows how it ended.
#ifndef ETUDE_WORKER_ATTEMPT_WORK_H_
#define ETUDE_WORKER_ATTEMPT_WORK_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "worker/attempt_dir.h"
#include "worker/backoff.h"
#include "worker/checkpoint_uploads.h"
#include "worker/corpus_cache.h"
#include "worker/event.h"
#include "worker/log_shipment.h"
#include "worker/spool.h"
#include "worker/trainer_exit.h"

namespace etude {

// After a release for want of disk space or a local file, the slot takes no job for so long.
inline constexpr absl::Duration kHoldAfterDiskFailure = absl::Seconds(60);

// What an attempt uses of its worker. All of it outlives the attempt.
struct AttemptContext {
  std::string state_dir;
  WorkerId worker;
  absl::Duration checkpoint_every;
  absl::Duration upload_every;
  std::uint64_t seed = 0;  // of the jitter
  Transport* transport = nullptr;
  CorpusCache* corpora = nullptr;
  CallId* next_call = nullptr;
};

// Not thread-safe. Reads and writes the attempt's directory; everything else goes through the
// transport. The agent owns the trainer and the stream of points.
class AttemptWork {
 public:
  // preparing: fetches corpus and checkpoint. ready: for a trainer. training: a trainer has it.
  // closing: sends what is left, then Finish. over: may be forgotten; its directory is as it
  // should stay.
  enum class Stage { kPreparing, kReady, kTraining, kClosing, kOver };

  AttemptWork(const AttemptContext& context, Transport::Assignment assignment);
  // What an earlier process of this worker left behind; it does nothing until the coordinator has
  // said what is to become of it.
  AttemptWork(const AttemptContext& context, AttemptDir dir);

  Stage stage() const { return stage_; }
  const JobId& job() const { return dir_.job; }
  int attempt() const { return dir_.number; }
  bool confirmed() const { return confirmed_; }
  Transport::Held held() const;
  // The disk or this machine let the attempt down: take a rest before the next.
  bool wants_hold() const { return wants_hold_; }

  // Of the coordinator.
  void Direct(Transport::Action action);
  // Of this worker, which has to stop or is to take a rest.
  void Release(const std::string& reason);

  JobMessage MakeJobMessage() const;
  void StartTraining() { stage_ = Stage::kTraining; }
  // What the trainer is to be told now; each thing once. cancel outranks release outranks
  // checkpoint.
  std::optional<StopKind> TakeStop();
  // The trainer said done, or is gone: the log grows no more.
  void TrainerDone(const DoneMessage& done);
  void TrainerGone(const ExitMeaning& meaning);

  // True if the event was an answer to one of its calls.
  bool Handle(const Event& event, absl::Time now);
  // Does what can be done now; call after every event and from time to time.
  void Advance(absl::Time now);

  // The stream of points.
  Spool::Batch* NextUnsent();
  void Acknowledge(std::int64_t end) { spool_.Acknowledge(end); }
  void Unsend() { spool_.Unsend(); }
  // The coordinator cannot take its points, whatever is tried.
  void RefusePoints(const std::string& reason);

 private:
  struct Ending {
    JobOutcome outcome = JobOutcome::kReleased;
    std::string reason;
    std::optional<RunResult> result;
  };

  // Preparing.
  void MakeDirectory();
  void AdvancePreparing(absl::Time now);
  bool CheckpointReady(absl::Time now);
  void TakeDownload(const absl::Status& status, absl::Time now);
  void CannotPrepare(const absl::Status& status);

  // Training and after.
  void ReadLog(absl::Time now);
  void TakeCheckpoint(const Spool::FoundCheckpoint& found, absl::Time now);
  void End(Ending ending);
  // Decides how the attempt ended, once the log is read.
  void Conclude();
  void QueueLastUploads();
  void AdvanceClosing(absl::Time now);
  void SendFinish();
  void TakeFinish(const absl::Status& status, absl::Time now);
  void TakeTrainerLog(const absl::StatusOr<ArtifactFile>& file, absl::Time now);
  bool KeepsCheckpoint() const;
  void Leave();
  void Discard();

  AttemptContext context_;
  AttemptDir dir_;
  std::optional<Transport::Assignment> assignment_;  // of this process
  Stage stage_ = Stage::kPreparing;
  bool confirmed_ = true;
  bool superseded_ = false;
  bool reports_ = true;  // points and checkpoints are still worth sending
  bool wants_hold_ = false;

  std::size_t checkpoint_files_ = 0;  // downloaded
  int download_tries_ = 0;
  CallId call_ = 0;  // under way: a download, the trainer's log, or Finish
  absl::Time retry_at_ = absl::InfinitePast();
  Backoff backoff_;

  std::optional<StopKind> wanted_stop_;
  std::optional<StopKind> told_stop_;
  std::string stop_reason_;

  Spool spool_;
  CheckpointUploads uploads_;
  LogShipment log_shipment_;
  std::optional<Spool::FoundCheckpoint> newest_resume_;
  std::optional<Spool::FoundCheckpoint> newest_best_;
  std::optional<Spool::FoundCheckpoint> last_;
  std::int64_t best_queued_step_ = 0;
  bool upload_next_ = false;  // the coordinator asked for a checkpoint
  absl::Time save_at_ = absl::InfinitePast();
  absl::Time upload_due_ = absl::InfinitePast();

  bool trainer_gone_ = false;
  Ending fallback_;                // counts when the log does not say how training ended
  std::optional<Ending> verdict_;  // counts whatever the log says
  std::optional<Ending> ending_;
  std::vector<ArtifactFile> artifacts_;
  bool trainer_log_sent_ = false;
  bool resent_ = false;
  int finish_tries_ = 0;
};

}  // namespace etude

#endif  // ETUDE_WORKER_ATTEMPT_WORK_H_
