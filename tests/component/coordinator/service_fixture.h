// The real services over an in-process channel, on a temporary store.
#ifndef ETUDE_TESTS_COMPONENT_COORDINATOR_SERVICE_FIXTURE_H_
#define ETUDE_TESTS_COMPONENT_COORDINATOR_SERVICE_FIXTURE_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "coordinator/coordinator_service.h"
#include "coordinator/core.h"
#include "etude/v1/blob.grpc.pb.h"
#include "etude/v1/bundle.grpc.pb.h"
#include "etude/v1/client.grpc.pb.h"
#include "etude/v1/store.grpc.pb.h"
#include "etude/v1/worker.grpc.pb.h"
#include "lib/base/hash.h"
#include "storage/attempt_logs.h"
#include "storage/blob_store.h"
#include "storage/sqlite_results_reader.h"
#include "storage/sqlite_results_store.h"
#include "tests/support/faulty_results_store.h"

namespace etude {

inline constexpr char kTestToken[] = "etude_test";  // the owner's
inline constexpr char kAnasToken[] = "etude_ana";   // workers'
inline constexpr char kBobsToken[] = "etude_bob";

class ServiceTest : public testing::Test {
 protected:
  ServiceTest();
  ~ServiceTest() override;

  // Closes everything and opens it again from the disk, as after a crash of the process.
  void Reopen();
  void Open();
  void Close();

  // A context with the token and a deadline.
  std::unique_ptr<grpc::ClientContext> Context(const std::string& token = kTestToken);

  // Uploads `bytes` through BlobService; returns the file with `name`.
  v1::ArtifactFile Upload(const std::string& name, const std::string& bytes);
  // Uploads and pushes a corpus named "folk" with vocabulary 37.
  grpc::Status PushCorpus(v1::PushCorpusResponse* response);
  grpc::Status Submit(const std::string& spec, v1::SubmitSweepResponse* response);
  grpc::Status Register(const std::string& worker, const std::vector<v1::HeldAttempt>& held = {},
                        v1::RegisterResponse* response = nullptr);
  v1::AcquireResponse Acquire(const std::string& worker, std::int64_t wait_ms = 0);
  // Reports training points `first` to `last` on a stream of their own; false if superseded.
  bool Report(const std::string& job, int attempt, std::int64_t first, std::int64_t last);
  grpc::Status Finish(const std::string& worker, const std::string& job, int attempt,
                      v1::JobOutcome outcome = v1::JOB_OUTCOME_SUCCEEDED, double val_loss = 2.5);
  v1::GetSweepResponse GetSweep(const std::string& sweep);

  std::string directory_;
  std::unique_ptr<SqliteResultsStore> store_;
  std::unique_ptr<FaultyResultsStore> faulty_;
  std::unique_ptr<SqliteResultsReader> reader_;
  std::unique_ptr<BlobStore> blobs_;
  std::unique_ptr<AttemptLogs> logs_;
  const Authentication authentication_{
      {{Role::kOwner, Sha256Hex(kTestToken), kNeverExpires, "owner"},
       {Role::kWorker, Sha256Hex(kAnasToken), kNeverExpires, "ana"},
       {Role::kWorker, Sha256Hex(kBobsToken), kNeverExpires, "bob"}},
      "/state/token",
      SystemClock()};
  std::unique_ptr<BlobCollector> collector_;
  std::unique_ptr<Core> core_;
  std::unique_ptr<CoordinatorService> service_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::WorkerService::Stub> worker_;
  std::unique_ptr<v1::ClientService::Stub> client_;
  std::unique_ptr<v1::BlobService::Stub> blob_;
  std::unique_ptr<v1::StoreService::Stub> store_stub_;
  std::unique_ptr<v1::BundleService::Stub> bundle_;
};

// One transformer run of 20 steps of 8 x 64 positions.
inline constexpr char kOneRunSpec[] = R"(
name = "one"
corpus = "folk"
[[grid]]
transformer = ["1x16x2"]
tokens = [10240]
seeds = [1]
)";

}  // namespace etude

#endif  // ETUDE_TESTS_COMPONENT_COORDINATOR_SERVICE_FIXTURE_H_
