// ClientService on the wire: what people's commands ask. Synchronous: a handler may block on the
// core or on a read of the store.
#ifndef ETUDE_COORDINATOR_CLIENT_SERVICE_H_
#define ETUDE_COORDINATOR_CLIENT_SERVICE_H_

#include <grpcpp/server_context.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/time/time.h"
#include "coordinator/authentication.h"
#include "coordinator/blob_collector.h"
#include "coordinator/core.h"
#include "etude/v1/client.grpc.pb.h"
#include "lib/base/clock.h"
#include "storage/attempt_logs.h"
#include "storage/blob_store.h"
#include "storage/results_store.h"

namespace etude {

// WatchSweep calls open at once, each of which holds a thread; more get kResourceExhausted.
inline constexpr int kMaxWatchers = 32;
inline constexpr int kMaxLogReaders = 32;    // TailLog calls; likewise
inline constexpr int kMaxFitters = 4;        // FitSweep calls that compute at once; likewise
inline constexpr int kMaxCurveRows = 16384;  // of one message of GetCurve
inline constexpr absl::Duration kWatchInterval = absl::Seconds(1);
inline constexpr absl::Duration kTailInterval = absl::Milliseconds(500);

// What does not change while the coordinator runs.
struct CoordinatorFacts {
  std::string software;
  std::string sqlite_version;
  int schema_version = 0;
  std::string state_dir;
  std::string store_path = "";
  std::int64_t min_free_bytes = 0;  // on its disk
  std::int64_t started_at_us = 0;
};

// Thread-safe. What it is given must outlive it.
class ClientService final : public v1::ClientService::Service {
 public:
  struct Parts {
    Core& core;
    ResultsReader& reader;
    BlobStore& blobs;
    AttemptLogs& logs;
    const Authentication& authentication;
    Clock& clock;
    CoordinatorFacts facts;
    BlobCollector& collector;
  };
  explicit ClientService(Parts parts) : parts_(std::move(parts)) {}

  grpc::Status GetInfo(grpc::ServerContext* context, const v1::GetInfoRequest* request,
                       v1::GetInfoResponse* response) override;
  grpc::Status PushCorpus(grpc::ServerContext* context, const v1::PushCorpusRequest* request,
                          v1::PushCorpusResponse* response) override;
  grpc::Status GetCorpus(grpc::ServerContext* context, const v1::GetCorpusRequest* request,
                         v1::GetCorpusResponse* response) override;
  grpc::Status ListCorpora(grpc::ServerContext* context, const v1::ListCorporaRequest* request,
                           v1::ListCorporaResponse* response) override;
  grpc::Status SubmitSweep(grpc::ServerContext* context, const v1::SubmitSweepRequest* request,
                           v1::SubmitSweepResponse* response) override;
  grpc::Status ListSweeps(grpc::ServerContext* context, const v1::ListSweepsRequest* request,
                          v1::ListSweepsResponse* response) override;
  grpc::Status GetSweep(grpc::ServerContext* context, const v1::GetSweepRequest* request,
                        v1::GetSweepResponse* response) override;
  grpc::Status WatchSweep(grpc::ServerContext* context, const v1::GetSweepRequest* request,
                          grpc::ServerWriter<v1::GetSweepResponse>* writer) override;
  grpc::Status CancelSweep(grpc::ServerContext* context, const v1::CancelSweepRequest* request,
                           v1::CancelSweepResponse* response) override;
  grpc::Status DeleteSweep(grpc::ServerContext* context, const v1::DeleteSweepRequest* request,
                           v1::DeleteSweepResponse* response) override;
  // client_service_controls.cc
  grpc::Status ControlSweep(grpc::ServerContext* context, const v1::ControlSweepRequest* request,
                            v1::ControlSweepResponse* response) override;
  grpc::Status RetrySweep(grpc::ServerContext* context, const v1::RetrySweepRequest* request,
                          v1::RetrySweepResponse* response) override;
  grpc::Status CancelRun(grpc::ServerContext* context, const v1::CancelRunRequest* request,
                         v1::CancelRunResponse* response) override;
  grpc::Status RetryRun(grpc::ServerContext* context, const v1::RetryRunRequest* request,
                        v1::RetryRunResponse* response) override;
  grpc::Status ExplainRun(grpc::ServerContext* context, const v1::ExplainRunRequest* request,
                          v1::ExplainRunResponse* response) override;
  grpc::Status DrainWorker(grpc::ServerContext* context, const v1::DrainWorkerRequest* request,
                           v1::DrainWorkerResponse* response) override;

  // client_service_logs.cc
  grpc::Status TailLog(grpc::ServerContext* context, const v1::TailLogRequest* request,
                       grpc::ServerWriter<v1::TailLogResponse>* writer) override;

  grpc::Status ListRuns(grpc::ServerContext* context, const v1::ListRunsRequest* request,
                        v1::ListRunsResponse* response) override;
  grpc::Status GetRun(grpc::ServerContext* context, const v1::GetRunRequest* request,
                      v1::GetRunResponse* response) override;
  grpc::Status GetCurve(grpc::ServerContext* context, const v1::GetCurveRequest* request,
                        grpc::ServerWriter<v1::GetCurveResponse>* writer) override;
  grpc::Status FitSweep(grpc::ServerContext* context, const v1::FitSweepRequest* request,
                        v1::FitSweepResponse* response) override;
  grpc::Status ListPredictions(grpc::ServerContext* context,
                               const v1::ListPredictionsRequest* request,
                               v1::ListPredictionsResponse* response) override;
  grpc::Status ListWorkers(grpc::ServerContext* context, const v1::ListWorkersRequest* request,
                           v1::ListWorkersResponse* response) override;

 private:
  // Checks the caller, then answers with what `call()` returns.
  grpc::Status Serve(const grpc::ServerContext& context, const char* method,
                     const std::function<absl::Status()>& call);

  absl::Status FillInfo(v1::GetInfoResponse& response);
  absl::Status AddCorpus(const v1::PushCorpusRequest& request, v1::PushCorpusResponse& response);
  absl::Status Submit(const v1::SubmitSweepRequest& request, v1::SubmitSweepResponse& response);
  absl::Status FillSweep(const std::string& text, v1::GetSweepResponse& response);
  absl::Status FillSweeps(v1::ListSweepsResponse& response);
  absl::Status Watch(const grpc::ServerContext& context, const std::string& sweep,
                     grpc::ServerWriter<v1::GetSweepResponse>& writer);
  absl::Status FillRuns(const v1::ListRunsRequest& request, v1::ListRunsResponse& response);
  absl::Status FillRun(const std::string& text, v1::GetRunResponse& response);
  absl::Status StreamCurve(const grpc::ServerContext& context, const v1::GetCurveRequest& request,
                           grpc::ServerWriter<v1::GetCurveResponse>& writer);
  absl::Status FillFits(const v1::FitSweepRequest& request, v1::FitSweepResponse& response);
  absl::Status FillWorkers(v1::ListWorkersResponse& response);
  absl::Status Tail(const grpc::ServerContext& context, const v1::TailLogRequest& request,
                    grpc::ServerWriter<v1::TailLogResponse>& writer);
  absl::Status Control(const v1::ControlSweepRequest& request, const SweepId& sweep);
  absl::StatusOr<SweepId> SweepNamed(const std::string& text);
  absl::StatusOr<RunKey> RunNamed(const std::string& text);

  Parts parts_;
  std::atomic<int> watchers_ = 0;
  std::atomic<int> fitters_ = 0;
  std::atomic<int> log_readers_ = 0;
};

}  // namespace etude

#endif  // ETUDE_COORDINATOR_CLIENT_SERVICE_H_
