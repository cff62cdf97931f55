// The life of two sweeps, call by call, as a client and a worker without a trainer ask for it: the
// same calls in every execution, so that what a coordinator stores can be compared.
#ifndef ETUDE_TESTS_SUPPORT_SCRIPTED_SWEEP_H_
#define ETUDE_TESTS_SUPPORT_SCRIPTED_SWEEP_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "etude/v1/client.grpc.pb.h"
#include "etude/v1/worker.grpc.pb.h"
#include "proto/channel.h"
#include "tests/support/fake_clock.h"

namespace etude {

// Not thread-safe.
class ScriptedSweep {
 public:
  // The files that it uploads are made in `directory`.
  explicit ScriptedSweep(const std::string& directory);

  // From now on it asks that coordinator, to which its worker must make itself known again.
  void Connect(const std::string& endpoint, const std::string& token);
  // An idle connection would keep a coordinator from ending soon.
  void Disconnect();

  bool done() const { return next_ == steps_.size(); }
  // How many calls were acknowledged so far.
  std::size_t step() const { return next_; }
  // Before this one the coordinator is to stop and start in good order, once.
  bool IsAtRestart() const { return next_ == restart_before_; }
  std::string NameOfStep() const { return done() ? "the end" : steps_[next_].name; }
  bool IsOfWorker() const { return !done() && steps_[next_].by_worker; }
  // Makes the next call; OK: it is acknowledged, and over.
  absl::Status Advance();

  // Leases whose reply was lost with the coordinator that made them: the worker, back without them,
  // got their jobs again in another attempt.
  int lost_attempts() const;

  // All that the coordinator has stored of the sweeps, but for times and lost attempts, as text.
  // kDataLoss: a point is there twice, or a file that a row names does not have the bytes that were
  // sent.
  absl::StatusOr<std::string> Stored();

 private:
  struct Step {
    std::string name;
    bool by_worker;
    std::function<absl::Status()> call;
  };
  struct Lease {
    std::string job;
    int attempt = 0;
    std::string run;
  };

  void Add(const std::string& name, bool by_worker, std::function<absl::Status()> call);
  void AddUpload(const std::string& name, const std::string& bytes);
  void AddSubmit(const std::string& sweep, const std::string& seeds);
  void AddControl(const std::string& sweep, v1::ControlSweepRequest::Action action);
  void AddAcquire(int attempt);
  void AddReport(std::int64_t first, std::int64_t last);
  void AddCheckpoint(const std::string& name, v1::CheckpointKind kind, std::int64_t step);
  void AddFinish(v1::JobOutcome outcome);
  void AddWholeRun(const std::string& name);

  absl::Status Register();
  absl::Status Report(std::int64_t first, std::int64_t last);
  absl::Status Finish(v1::JobOutcome outcome);
  absl::Status PushCorpus();
  absl::StatusOr<std::string> CurveOf(const std::string& run);
  absl::StatusOr<std::string> RunText(const std::string& run);
  absl::Status CheckBytes();

  template <typename Stub, typename Request, typename Response>
  absl::Status Ask(Stub& stub,
                   grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                   const Request& request, Response& response);

  const std::string directory_;
  std::vector<Step> steps_;
  std::size_t next_ = 0;
  std::size_t restart_before_ = 0;

  FakeClock clock_;  // uploads are tried again without a wait
  std::unique_ptr<CoordinatorChannel> channel_;
  std::unique_ptr<v1::ClientService::Stub> client_;
  std::unique_ptr<v1::WorkerService::Stub> worker_;
  bool registered_ = false;
  std::optional<Lease> lease_;
  std::map<std::string, int> lost_attempts_;       // by job
  std::map<std::string, v1::ArtifactFile> files_;  // by name: what was sent and acknowledged
};

}  // namespace etude

#endif  // ETUDE_TESTS_SUPPORT_SCRIPTED_SWEEP_H_
