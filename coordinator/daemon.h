// The coordinator as a whole: state directory, store, core, server, forecasts of held-out runs, and
// the hourly collection of blobs, and metrics if they are asked for.
#ifndef ETUDE_COORDINATOR_DAEMON_H_
#define ETUDE_COORDINATOR_DAEMON_H_

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "coordinator/authentication.h"
#include "coordinator/config.h"
#include "lib/base/clock.h"
#include "storage/attempt_logs.h"
#include "storage/blob_store.h"
#include "storage/results_store.h"

namespace etude {

class BlobCollector;
class CoordinatorMetrics;
class Core;
class CoordinatorService;
class Core;
class Forecaster;
class FreeSpaceStore;
class MetricsServer;
struct TlsIdentity;

inline constexpr char kSoftwareVersion[] = "0.1.0";
inline constexpr char kEndpointFile[] = "endpoint";  // in the state directory: HOST:PORT
inline constexpr absl::Duration kMeasureBlobsEvery = absl::Minutes(5);
// Of an attempt that never said how it ended, as one whose machine was lost.
inline constexpr absl::Duration kKeepAttemptLogs = absl::Hours(7 * 24);
inline constexpr absl::Duration kStopPatience = absl::Seconds(5);

// Thread-safe.
class Daemon {
 public:
  // Opens everything and listens; then STATE/endpoint names the port. kInvalidArgument: an address
  // that other machines can reach. kAlreadyExists: the port is taken. kFailedPrecondition: another
  // coordinator has the state directory. kDataLoss: the stored state is damaged.
  static absl::StatusOr<std::unique_ptr<Daemon>> Start(const CoordinatorConfig& config,
                                                       Clock& clock);
  ~Daemon();

  const std::string& endpoint() const;
  // ADDRESS:PORT of its metrics; empty if it serves none.
  std::string metrics_endpoint() const;
  // Ends open calls and closes the store, within 10 s. Workers go on training and come back later.
  void Stop();

 private:
  Daemon(const CoordinatorConfig& config, Clock& clock);
  absl::Status OpenState();
  absl::Status Serve(const std::optional<TlsIdentity>& tls);
  absl::Status ServeMetrics();
  std::string Trouble() const;
  void TendBlobs();
  void CollectBlobs();

  const CoordinatorConfig config_;
  Clock& clock_;
  std::unique_ptr<CoordinatorMetrics> metrics_;
  std::unique_ptr<Authentication> authentication_;
  std::unique_ptr<ResultsStore> store_;
  std::unique_ptr<FreeSpaceStore> guarded_store_;  // the same, while there is space
  std::unique_ptr<ResultsStore> measured_store_;   // the same, counted
  std::unique_ptr<ResultsReader> reader_;
  std::unique_ptr<BlobStore> blobs_;
  std::unique_ptr<AttemptLogs> logs_;
  std::unique_ptr<BlobCollector> blob_collector_;
  std::unique_ptr<Core> core_;
  std::unique_ptr<CoordinatorService> service_;
  std::unique_ptr<Forecaster> forecaster_;
  std::unique_ptr<MetricsServer> metrics_server_;
  std::jthread collector_;
};

}  // namespace etude

#endif  // ETUDE_COORDINATOR_DAEMON_H_
