// What the agent asks of the coordinator, as values: no gRPC here. The answers come back as events
// (event.h), so no call blocks.
#ifndef ETUDE_WORKER_TRANSPORT_H_
#define ETUDE_WORKER_TRANSPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/scaling/corpus.h"
#include "lib/scaling/ids.h"
#include "lib/scaling/job.h"
#include "lib/scaling/loss_point.h"
#include "lib/scaling/run.h"
#include "lib/scaling/worker.h"

namespace etude {

// Names one call; its answer carries the same number.
using CallId = std::uint64_t;

// The methods start a call and return; each answers with exactly one event of its kind, whatever
// happens (every call has a deadline). kUnavailable and kDeadlineExceeded: send it again later.
class Transport {
 public:
  struct Held {
    JobId job;
    int attempt = 0;
    std::int64_t step = 0;
    std::int64_t local_step = 0;  // newest resume checkpoint on this disk; 0 = none
  };
  enum class Action { kKeep, kCancel, kCheckpoint, kRelease, kSuperseded };
  struct Directive {
    JobId job;
    int attempt = 0;
    Action action = Action::kKeep;
  };
  struct Registration {
    absl::Duration heartbeat;
    absl::Duration idle_heartbeat;      // while nothing is held
    std::vector<Directive> directives;  // one for each held attempt
  };
  struct HeartbeatAnswer {
    std::vector<Directive> directives;
    bool drain = false;  // an operator asked this worker to drain
  };
  struct Assignment {
    JobId job;
    int attempt = 0;
    RunKey run;
    RunConfig config;
    std::int64_t to = 0;
    Corpus corpus;
    std::int64_t start_step = 0;           // 0: fresh weights
    int local_attempt = 0;                 // resume from that attempt's directory here; 0: not
    std::optional<Checkpoint> checkpoint;  // or from these blobs
    std::vector<std::int64_t> branch_steps = {};  // commit a branch point after these, ascending
  };
  struct Acquisition {
    std::optional<Assignment> assignment;
    std::string reason;  // why there is none, for people
  };
  struct PointsBatch {
    std::uint64_t sequence = 0;  // from 1 in each stream, one more each batch
    WorkerId worker;
    JobId job;
    int attempt = 0;
    std::vector<LossPoint> points;  // at most kMaxPointsPerBatch
  };
  static constexpr std::size_t kMaxPointsPerBatch = 4096;
  struct Ending {
    JobId job;
    int attempt = 0;
    JobOutcome outcome = JobOutcome::kSucceeded;
    std::string reason;
    std::optional<RunResult> result;  // with kSucceeded
    std::int64_t local_step = 0;
    std::string numerics;
    std::vector<ArtifactFile> artifacts;
  };

  struct LogText {
    JobId job;
    int attempt = 0;
    std::int64_t offset = 0;  // in the attempt's trainer.log
    std::string text;
  };

  virtual ~Transport() = default;

  virtual void Register(CallId call, const Worker& worker, const std::vector<Held>& held) = 0;
  virtual void Heartbeat(CallId call, const WorkerId& worker, const std::vector<Held>& held,
                         bool draining) = 0;
  // Waits up to `wait` for a job for the slot.
  virtual void Acquire(CallId call, const WorkerId& worker, int slot, absl::Duration wait) = 0;
  // Ends every Acquire under way; each still answers, with kCancelled or with what it had got.
  virtual void StopAcquiring() = 0;

  // Opens the stream of points; ReportClosed answers, once it is over. One stream at a time.
  virtual void OpenReport(CallId stream) = 0;
  virtual void Report(CallId stream, const PointsBatch& batch) = 0;
  virtual void CloseReport(CallId stream) = 0;

  virtual void CommitCheckpoint(CallId call, const WorkerId& worker,
                                const Checkpoint& checkpoint) = 0;
  virtual void Finish(CallId call, const WorkerId& worker, const Ending& ending) = 0;
  // kFailedPrecondition: the attempt is over. kResourceExhausted: there is more important work.
  virtual void ShipLog(CallId call, const WorkerId& worker, const LogText& text) = 0;

  // Sends a file to the blob store. kNotFound: there is no such file. kDataLoss: it changed.
  virtual void Upload(CallId call, const std::string& path) = 0;
  // Makes `path`, whose directory exists, the bytes that `file` names; a file that has them already
  // is left alone. kNotFound: the coordinator has no such blob. kDataLoss: its bytes are bad.
  // kResourceExhausted: this disk is full, or the coordinator asks for patience.
  virtual void Download(CallId call, const ArtifactFile& file, const std::string& path) = 0;
};

}  // namespace etude

#endif  // ETUDE_WORKER_TRANSPORT_H_
