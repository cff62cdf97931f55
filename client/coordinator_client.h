// What a person's commands ask of the coordinator, in the words of lib/scaling. The only file of
// the client that knows the wire.
#ifndef ETUDE_CLIENT_COORDINATOR_CLIENT_H_
#define ETUDE_CLIENT_COORDINATOR_CLIENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/context.h"
#include "lib/base/clock.h"
#include "lib/scaling/corpus.h"
#include "lib/scaling/fit.h"
#include "lib/scaling/fit_runs.h"
#include "lib/scaling/forecast.h"
#include "lib/scaling/job.h"
#include "lib/scaling/loss_point.h"
#include "lib/scaling/run.h"
#include "lib/scaling/sweep.h"
#include "lib/scaling/worker.h"

namespace etude {

// The protocol versions that this client speaks.
int ClientProtocol();
int OldestClientProtocol();

// The token in `path`; empty when there is no such file. kPermissionDenied: others may read it;
// kInvalidArgument: it holds no token.
absl::StatusOr<std::string> ReadTokenIfAny(const std::string& path);

struct CoordinatorInfo {
  std::string software;
  int protocol = 0;
  std::string sqlite_version;
  int schema_version = 0;
  std::int64_t started_at_us = 0;
  std::int64_t now_us = 0;  // the coordinator's clock
  std::string state_dir;
  std::int64_t free_bytes = 0;
  int active_sweeps = 0;
  int queued_jobs = 0;
  int leased_jobs = 0;
  int online_workers = 0;
  bool read_only = false;
  std::string read_only_reason;
};

struct RunProgress {
  Run run;
  std::int64_t step = 0;    // newest committed training step
  double train_loss = 0;    // at that step; NaN before the first
  double val_probe = 0;     // newest; NaN before the first
  double tokens_per_s = 0;  // of the running attempt; 0 when none
  WorkerId worker;          // that runs it now
  int attempts = 0;
  std::string wait_reason;
  bool held_out = false;  // by the sweep that was asked for
};

// A fit of one family of a sweep, or of a CSV file, which has none.
struct FamilyFit {
  std::optional<Family> family;
  Fit fit;
  std::string json;  // FitToJson, byte for byte as it was computed
};

struct FitRequest {
  std::string sweep;
  FitOptions options;  // its convention is the selection's
  NConvention convention = NConvention::kCompute;
  FitSplit split = FitSplit::kVal;
  std::string where;  // as ParseWhere reads it
};

struct SweepSummary {
  Sweep sweep;  // spec_toml only from FindSweep and WatchSweep
  int queued = 0;
  int running = 0;
  int succeeded = 0;
  int failed = 0;
  int cancelled = 0;
  int runs() const { return queued + running + succeeded + failed + cancelled; }
};

struct SweepView {
  SweepSummary summary;
  std::vector<RunProgress> runs;  // in the order of the spec
  double eta_s = 0;               // negative: not known yet
  // On the least that can be left, or once it has ended have been; not positive: not known.
  double makespan_bound_s = 0;
  double makespan_s = 0;  // once it has ended; else not positive
};

struct AttemptView {
  Attempt attempt;
  std::vector<ArtifactFile> artifacts;
};

struct RunView {
  RunProgress progress;
  std::vector<Job> jobs;
  std::vector<AttemptView> attempts;
  std::vector<Checkpoint> checkpoints;
  std::vector<std::string> sweeps;  // names of those that want it
};

struct WorkerView {
  Worker worker;
  std::vector<RunKey> runs = {};  // that it trains now
  std::string idle_reason = "";   // why a slot of it has no job; empty: none has none
};

// Why a run is where it is: what each sweep that has it, and each worker, says to it.
struct RunExplanation {
  struct Verdict {
    std::string who;
    std::string what;
  };
  Run run;
  std::string worker;       // that trains it now
  std::string wait_reason;  // why it waits, if it does
  std::vector<Verdict> sweeps;
  std::vector<Verdict> workers;
};

struct SubmitRequest {
  std::string spec_toml;
  std::string file_name;      // for messages
  CorpusId corpus;            // when the spec names a directory; else empty
  SweepId expected_sweep_id;  // of a saved plan; else empty
};

struct Submission {
  Sweep sweep;
  bool created = false;  // false: it was there already
  int runs_shared = 0;   // that an earlier sweep had made
};

// How much the coordinator keeps.
struct StoreView {
  std::int64_t database_bytes = 0;
  std::int64_t blobs = 0;  // that a row names
  std::int64_t blob_bytes = 0;
  std::int64_t reclaimable = 0;  // files that no row names; they go by themselves
  std::int64_t reclaimable_bytes = 0;
  std::int64_t free_bytes = 0;
};

// What a backup is to hold.
struct BackupOffer {
  ArtifactFile database;             // its name is that of its file in the backup
  std::vector<ArtifactFile> blobs;   // without names
  std::string manifest;              // the text of manifest.json
  std::vector<std::string> missing;  // blobs that the coordinator should have and has not
};

// Who receives a backup; the calls come in this order, and an error ends it.
class BackupReceiver {
 public:
  virtual ~BackupReceiver() = default;
  virtual void OnCopied(std::int64_t pages_done, std::int64_t pages) = 0;
  virtual absl::Status OnOffer(const BackupOffer& offer) = 0;
  virtual absl::Status OnDatabase(std::string_view bytes) = 0;  // in order
  // The database is whole; the blobs of the offer stay at the coordinator until this returns.
  virtual absl::Status OnBlobs(const BackupOffer& offer) = 0;
};

// What a bundle is to hold.
struct BundleOffer {
  SweepId sweep;
  std::string name;
  std::string software;  // of the coordinator
  int runs = 0;
  int runs_open = 0;  // of them, that have not ended
  std::int64_t points = 0;
  ArtifactFile rows;
  std::vector<ArtifactFile> blobs;  // without names
};

// Who receives a bundle; the calls come in this order, and an error ends it.
class BundleReceiver {
 public:
  virtual ~BundleReceiver() = default;
  virtual absl::Status OnOffer(const BundleOffer& offer) = 0;
  virtual absl::Status OnRows(std::string_view bytes) = 0;  // in order
  // The rows are whole; the blobs of the offer stay at the coordinator until this returns.
  virtual absl::Status OnBlobs(const BundleOffer& offer) = 0;
};

struct ImportedSweep {
  SweepId sweep;
  std::string name;
  bool created = false;    // false: it was there already
  int runs_added = 0;      // that were not there
  int runs_completed = 0;  // that had not succeeded there
  int runs_kept = 0;       // as they were there
  int runs_open = 0;       // of the sweep, that have not ended
};

struct PushedCorpus {
  Corpus corpus;
  bool created = false;  // false: the same bytes were there under that name
};

// Thread-safe. Calls are tried again a few times while the coordinator cannot be reached, then
// fail with kUnavailable, which names the endpoint; a call that gets no answer in time fails the
// same way. Other errors are the coordinator's own. SWEEP is a name or an id's prefix, RUN a key's
// prefix, CORPUS a name or an id's prefix: kNotFound, and kInvalidArgument if ambiguous.
class CoordinatorClient {
 public:
  // Connects lazily. An empty token sends none.
  CoordinatorClient(const std::string& endpoint, const std::string& token, Clock& clock);
  // The same by a context: reads its token, if there is one, and its TLS files. Errors are those of
  // ReadTokenIfAny and ReadTls.
  static absl::StatusOr<std::unique_ptr<CoordinatorClient>> Make(const ClientContext& context,
                                                                 Clock& clock);
  ~CoordinatorClient();

  const std::string& endpoint() const;

  absl::StatusOr<CoordinatorInfo> Info();
  // One try of a short call, for those that poll: kUnavailable at once.
  absl::StatusOr<CoordinatorInfo> Probe();

  // `files` are in the blob store already.
  absl::StatusOr<PushedCorpus> PushCorpus(const std::string& name,
                                          const std::vector<ArtifactFile>& files);
  absl::StatusOr<Corpus> FindCorpus(const std::string& corpus);
  absl::StatusOr<std::vector<Corpus>> Corpora();

  absl::StatusOr<Submission> Submit(const SubmitRequest& request);
  absl::StatusOr<std::vector<SweepSummary>> Sweeps();
  absl::StatusOr<SweepView> FindSweep(const std::string& sweep);
  absl::StatusOr<Sweep> CancelSweep(const std::string& sweep);
  // How many of its runs went with it.
  absl::StatusOr<int> DeleteSweep(const std::string& sweep, const std::string& name);
  absl::StatusOr<Sweep> PauseSweep(const std::string& sweep, bool paused);
  absl::StatusOr<Sweep> StopSweep(const std::string& sweep);
  absl::StatusOr<Sweep> SetTurn(const std::string& sweep, int priority, double weight);
  struct Retried {
    Sweep sweep;
    int runs = 0;  // that start again
  };
  absl::StatusOr<Retried> RetrySweep(const std::string& sweep, bool failed_only);

  // Calls `on_view` at once and after each change until the sweep ends (ok), `on_view` returns
  // false (kCancelled), the connection breaks (kUnavailable; not tried again) or `limit` has passed
  // (kDeadlineExceeded).
  absl::Status WatchSweep(const std::string& sweep, absl::Duration limit,
                          const std::function<bool(const SweepView&)>& on_view);
  struct LogTail {
    std::string run = "";
    int ordinal = 1;          // of the attempt among all of the run's, from 1
    std::int64_t offset = 0;  // in its log, to go on from
    bool follow = false;
  };
  struct LogPart {
    std::optional<Attempt> attempt;  // in the first part, which may have no text
    std::int64_t offset = 0;         // later than where the one before ended: something is missing
    std::string text;
  };
  // Calls `on_part` with what the log has; with `follow` until the attempt is over, or the run is
  // and has no such attempt. Ends otherwise as WatchSweep does. kUnimplemented: the coordinator is
  // older than this client.
  absl::Status TailLog(const LogTail& tail, absl::Duration limit,
                       const std::function<bool(const LogPart&)>& on_part);
  // Ends the watches and tails that run now, from any thread: they return kCancelled.
  void StopWatching();

  absl::StatusOr<std::vector<RunProgress>> Runs(const std::string& sweep);  // empty: all
  absl::StatusOr<RunView> FindRun(const std::string& run);
  absl::StatusOr<Run> CancelRun(const std::string& run);
  absl::StatusOr<Run> RetryRun(const std::string& run);
  absl::StatusOr<RunExplanation> ExplainRun(const std::string& run);
  // Ordered by (step, series); empty `series`: all but test.
  absl::StatusOr<std::vector<LossPoint>> Curve(const std::string& run,
                                               const std::vector<Series>& series);

  // A fit of each family that has finished runs matching the request, computed and stored by the
  // coordinator. A refused fit is no error.
  absl::StatusOr<std::vector<FamilyFit>> FitSweep(const FitRequest& request);
  // Of the sweep's held-out runs; empty until they are frozen.
  absl::StatusOr<std::vector<FrozenPrediction>> Predictions(const std::string& sweep);

  absl::StatusOr<std::vector<WorkerView>> Workers();
  absl::StatusOr<Worker> DrainWorker(const WorkerId& worker, bool drain);

  absl::StatusOr<StoreView> Store();
  // Not tried again: kUnavailable when the connection breaks.
  absl::Status Backup(BackupReceiver& receiver);
  // Lets the coordinator read all that it keeps. `on_part`: a problem, or "" and how far it is.
  using StorePart =
      std::function<void(const std::string& problem, std::int64_t done_bytes, std::int64_t bytes)>;
  absl::Status VerifyStore(const StorePart& on_part);

  // Not tried again: kUnavailable when the connection breaks.
  absl::Status ExportBundle(const std::string& sweep, BundleReceiver& receiver);
  // The rows and all blobs are in the blob store already. An empty name leaves the sweep its own.
  // kAlreadyExists: the name stands for another sweep. kDataLoss: the rows contradict each other.
  absl::StatusOr<ImportedSweep> ImportBundle(const std::string& rows_sha256,
                                             const std::string& name);

  // Called with the bytes moved so far; returning false stops with kCancelled.
  using TransferProgress = std::function<bool(std::int64_t bytes)>;
  absl::StatusOr<ArtifactFile> Upload(const std::string& path, const TransferProgress& progress);
  absl::Status Download(const ArtifactFile& file, const std::string& path,
                        const TransferProgress& progress);

 private:
  struct Wire;
  explicit CoordinatorClient(std::unique_ptr<Wire> wire);
  std::unique_ptr<Wire> wire_;
};

}  // namespace etude

#endif  // ETUDE_CLIENT_COORDINATOR_CLIENT_H_
