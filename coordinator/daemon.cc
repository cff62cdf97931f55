#include "coordinator/daemon.h"

#include <unistd.h>

#include <utility>

#include "coordinator/blob_collector.h"
#include "coordinator/coordinator_metrics.h"
#include "coordinator/coordinator_service.h"
#include "coordinator/core.h"
#include "coordinator/forecaster.h"
#include "coordinator/measured_store.h"
#include "coordinator/metrics_server.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/status.h"
#include "proto/tls.h"
#include "storage/migrations.h"
#include "storage/snapshot.h"
#include "storage/sqlite.h"
#include "storage/sqlite_results_reader.h"
#include "storage/sqlite_results_store.h"
#include "storage/state_disk.h"

namespace etude {
namespace {

constexpr unsigned kOwnerOnlyDirectory = 0700;
constexpr char kStoreFile[] = "/etude.db";
constexpr char kBlobsDirectory[] = "/blobs";
constexpr char kAttemptLogsDirectory[] = "/attempt_logs";
constexpr char kSelectSqliteVersion[] = "SELECT sqlite_version()";

absl::StatusOr<std::string> SqliteVersion(const std::string& store_path) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Database> database,
                   Database::Open(store_path, Database::Access::kReadOnly));
  ASSIGN_OR_RETURN(Statement select, database->Prepare(kSelectSqliteVersion));
  ASSIGN_OR_RETURN(const bool found, select.Next());
  return found ? select.Text(0) : "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Start(const CoordinatorConfig& config,
                                                      Clock& clock) {
  RETURN_IF_ERROR(CheckListenAddress(config.listen, config.guarded()));
  if (!config.metrics.empty()) RETURN_IF_ERROR(CheckMetricsAddress(config.metrics));
  ASSIGN_OR_RETURN(const std::optional<TlsIdentity> tls,
                   ReadTls({config.tls_cert, config.tls_key, config.tls_ca}));
  std::unique_ptr<Daemon> daemon(new Daemon(config, clock));
  RETURN_IF_ERROR(daemon->OpenState());
  RETURN_IF_ERROR(daemon->Serve(tls));
  RETURN_IF_ERROR(daemon->ServeMetrics());
  daemon->forecaster_ = std::make_unique<Forecaster>(*daemon->core_, *daemon->reader_);
  daemon->collector_ = std::jthread([daemon = daemon.get()] { daemon->TendBlobs(); });
  return daemon;
}

Daemon::Daemon(const CoordinatorConfig& config, Clock& clock)
    : config_(config),
      clock_(clock),
      metrics_(std::make_unique<CoordinatorMetrics>(MetricsFacts{kSoftwareVersion, config.state_dir,
                                                                 config.state_dir + kStoreFile,
                                                                 ToMicros(clock.Now())})) {}

absl::Status Daemon::OpenState() {
  RETURN_IF_ERROR(MakeDirectories(config_.state_dir, kOwnerOnlyDirectory));
  const std::string store_path = config_.state_dir + kStoreFile;
  ASSIGN_OR_RETURN(store_, SqliteResultsStore::Open(store_path));
  ASSIGN_OR_RETURN(reader_, SqliteResultsReader::Open(store_path));
  RemoveOldSnapshots(config_.state_dir);
  ASSIGN_OR_RETURN(blobs_, BlobStore::Open(config_.state_dir + kBlobsDirectory));
  ASSIGN_OR_RETURN(logs_, AttemptLogs::Open(config_.state_dir + kAttemptLogsDirectory, {}));
  blob_collector_ = std::make_unique<BlobCollector>(*reader_, *blobs_, clock_);
  ASSIGN_OR_RETURN(Authentication authentication,
                   Authentication::Open(config_.state_dir, config_.token_file, clock_));
  authentication_ = std::make_unique<Authentication>(std::move(authentication));
  const std::string network = NetworkFileSystemOf(config_.state_dir);
  if (!network.empty()) {
    LogWarning("the state directory " + config_.state_dir + " is on a network file system (" +
               network +
               "), where SQLite's locks do not hold: a power cut, or a second "
               "coordinator on another machine, may damage it. Use a local disk: --state DIR");
  }
  guarded_store_ = std::make_unique<FreeSpaceStore>(*store_, config_.state_dir,
                                                    std::int64_t{config_.min_free_mib} << 20);
  measured_store_ = std::make_unique<MeasuredStore>(*guarded_store_, clock_, metrics_->store());
  CoreOptions options;
  options.scheduler = config_.scheduler;
  ASSIGN_OR_RETURN(core_, Core::Start(options, clock_, *measured_store_));
  return absl::OkStatus();
}

absl::Status Daemon::Serve(const std::optional<TlsIdentity>& tls) {
  CoordinatorFacts facts;
  facts.software = kSoftwareVersion;
  ASSIGN_OR_RETURN(facts.sqlite_version, SqliteVersion(config_.state_dir + kStoreFile));
  facts.schema_version = static_cast<int>(Migrations().size());
  facts.state_dir = config_.state_dir;
  facts.store_path = config_.state_dir + kStoreFile;
  facts.min_free_bytes = std::int64_t{config_.min_free_mib} << 20;
  facts.started_at_us = ToMicros(clock_.Now());
  service_ = std::make_unique<CoordinatorService>(
      ClientService::Parts{*core_, *reader_, *blobs_, *logs_, *authentication_, clock_, facts,
                           *blob_collector_},
      config_.metrics.empty() ? nullptr : &metrics_->calls());
  RETURN_IF_ERROR(service_->Start(config_.listen, tls));
  return WriteFileAtomically(config_.state_dir + "/" + kEndpointFile, endpoint() + "\n");
}

absl::Status Daemon::ServeMetrics() {
  if (config_.metrics.empty()) return absl::OkStatus();
  const MetricsServer::Answers answers = {
      [this] { return metrics_->Text(core_->CurrentLoad(), !Trouble().empty()); },
      [this] { return Trouble(); }};
  ASSIGN_OR_RETURN(metrics_server_, MetricsServer::Start(config_.metrics, answers, {}));
  LogInfo("metrics at http://" + metrics_endpoint() + "/metrics");
  return absl::OkStatus();
}

// Why the store takes no writes; empty if it does.
std::string Daemon::Trouble() const {
  const std::string reason = core_->ReadOnlyReason();
  return reason.empty() ? MessageOf(guarded_store_->CheckSpace()) : reason;
}

std::string Daemon::metrics_endpoint() const {
  return metrics_server_ == nullptr ? "" : metrics_server_->endpoint();
}

Daemon::~Daemon() { Stop(); }

const std::string& Daemon::endpoint() const { return service_->endpoint(); }

void Daemon::Stop() {
  metrics_server_.reset();
  if (core_ != nullptr) core_->Stop();
  forecaster_.reset();
  if (collector_.joinable()) collector_.join();
  if (service_ == nullptr) return;
  service_->Stop(kStopPatience);
  if (store_ == nullptr) return;
  unlink((config_.state_dir + "/" + kEndpointFile).c_str());
  reader_.reset();
  store_.reset();
}

void Daemon::TendBlobs() {
  absl::Time collected = clock_.MonotonicNow();
  do {
    if (!config_.metrics.empty()) {
      metrics_->SetBlobBytes(BytesUnder(config_.state_dir + kBlobsDirectory));
    }
    if (clock_.MonotonicNow() - collected < kCollectBlobsEvery) continue;
    collected = clock_.MonotonicNow();
    CollectBlobs();
    logs_->Collect(clock_.Now() - kKeepAttemptLogs);
  } while (!core_->AwaitStop(kMeasureBlobsEvery));
}

void Daemon::CollectBlobs() {
  const absl::StatusOr<int> removed = blob_collector_->Collect();
  if (!removed.ok()) LogWarning("collect blobs: " + removed.status().ToString());
  if (removed.ok() && *removed > 0) {
    LogInfo("removed " + std::to_string(*removed) + " blobs that nothing names");
  }
}

}  // namespace etude
