#include "coordinator/bundle_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "coordinator/authentication_service.h"
#include "coordinator/blob_check.h"
#include "coordinator/corpus_manifest.h"
#include "coordinator/seat.h"
#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/base/status.h"
#include "proto/convert.h"
#include "proto/grpc_status.h"
#include "storage/bundle.h"
#include "storage/bundle_rows.h"
#include "storage/sqlite.h"

namespace etude {
namespace {

constexpr char kRowsFile[] = "rows.ndjson";
constexpr std::size_t kMaxSweepNameBytes = 64;

absl::Status Gone() { return Cancelled("the caller has gone"); }

absl::Status CheckSeat(const Seat& seat) {
  if (seat.IsWithin(kMaxBundlesAtOnce)) return absl::OkStatus();
  return ResourceExhausted(fmt::format(
      "{} sweeps are being exported or imported; wait for one to end", kMaxBundlesAtOnce));
}

// A bundle lacks nothing that its rows name.
absl::Status CheckThere(BlobStore& blobs, const std::vector<ArtifactFile>& files) {
  for (const ArtifactFile& file : files) {
    ASSIGN_OR_RETURN(const BlobStore::Facts facts, blobs.Stat(file.sha256));
    if (facts.complete && facts.bytes == file.bytes) continue;
    return DataLoss(
        fmt::format("{} ({}), which the sweep needs, is missing here or damaged; see "
                    "what is: etude db verify",
                    file.name, file.sha256.substr(0, 12)));
  }
  return absl::OkStatus();
}

class BundleSender {
 public:
  explicit BundleSender(grpc::ServerWriter<v1::ExportPart>& writer) : writer_(writer) {}

  absl::Status SendOffer(const Bundle& bundle, const std::string& software,
                         const std::string& rows) {
    v1::ExportPart part;
    v1::ExportPart::Offer& offer = *part.mutable_offer();
    offer.set_sweep_id(bundle.sweep.id.text());
    offer.set_name(bundle.sweep.name);
    offer.set_software(software);
    offer.set_runs(static_cast<int>(bundle.sweep.runs.size()));
    for (const Run& run : bundle.runs) {
      if (!IsTerminal(run.state)) offer.set_runs_open(offer.runs_open() + 1);
    }
    std::size_t points = 0;
    for (const BundledJob& job : bundle.jobs) {
      for (const BundledAttempt& attempt : job.attempts) points += attempt.points.size();
    }
    offer.set_points(static_cast<std::int64_t>(points));
    *offer.mutable_rows() =
        ToWire(ArtifactFile{kRowsFile, Sha256Hex(rows), static_cast<std::int64_t>(rows.size())});
    return Send(part);
  }

  absl::Status SendBlobs(const std::vector<ArtifactFile>& files) {
    v1::ExportPart part;
    for (std::size_t i = 0; i < files.size(); ++i) {
      *part.mutable_blobs()->add_blobs() = ToWire(files[i]);
      const bool full = part.blobs().blobs_size() == kMaxBundleBlobsPerPart;
      if (!full && i + 1 < files.size()) continue;
      RETURN_IF_ERROR(Send(part));
      part.clear_blobs();
    }
    return absl::OkStatus();
  }

  absl::Status SendRows(const std::string& rows) {
    for (std::size_t at = 0; at < rows.size(); at += kBlobChunkBytes) {
      v1::ExportPart part;
      v1::Chunk& chunk = *part.mutable_rows();
      chunk.set_offset(static_cast<std::int64_t>(at));
      chunk.set_data(rows.substr(at, kBlobChunkBytes));
      chunk.set_crc32c(Crc32c(chunk.data()));
      RETURN_IF_ERROR(Send(part));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Send(const v1::ExportPart& part) {
    return writer_.Write(part) ? absl::OkStatus() : Gone();
  }

  grpc::ServerWriter<v1::ExportPart>& writer_;
};

}  // namespace

absl::Status BundleService::Check(const grpc::ServerContext& context, const char* method) const {
  return CheckCaller(parts_.authentication, context,
                     std::string("/etude.v1.BundleService/") + method)
      .status();
}

grpc::Status BundleService::Export(grpc::ServerContext* context, const v1::ExportRequest* request,
                                   grpc::ServerWriter<v1::ExportPart>* writer) {
  absl::Status status = Check(*context, "Export");
  const Seat seat(open_);
  if (status.ok()) status = CheckSeat(seat);
  if (status.ok()) status = SendBundle(*context, *request, *writer);
  return ToGrpc(status);
}

// Blobs are held from before the rows are read, so that what these name stays, until the caller
// hangs up.
absl::Status BundleService::SendBundle(const grpc::ServerContext& context,
                                       const v1::ExportRequest& request,
                                       grpc::ServerWriter<v1::ExportPart>& writer) {
  ASSIGN_OR_RETURN(const std::string text, NameFromWire(request.sweep(), "sweep"));
  ASSIGN_OR_RETURN(const Sweep sweep, parts_.reader.FindSweepHead(text));
  const BlobCollector::Hold hold(parts_.collector);
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<Database> database,
                     Database::Open(parts_.facts.store_path, Database::Access::kReadOnly));
    ASSIGN_OR_RETURN(const Bundle bundle,
                     ReadBundle(*database, sweep.id, ToMicros(parts_.clock.Now())));
    RETURN_IF_ERROR(Annotate(CheckBundle(bundle), "the stored sweep contradicts itself"));
    const std::vector<ArtifactFile> files = FilesOf(bundle);
    RETURN_IF_ERROR(CheckThere(parts_.blobs, files));
    const std::string rows = BundleToRows(bundle, parts_.facts.software);
    BundleSender sender(writer);
    RETURN_IF_ERROR(sender.SendOffer(bundle, parts_.facts.software, rows));
    RETURN_IF_ERROR(sender.SendBlobs(files));
    RETURN_IF_ERROR(sender.SendRows(rows));
    LogInfo(fmt::format("sweep {} is exported: {} bytes of rows and {} blobs", bundle.sweep.name,
                        rows.size(), files.size()));
  }
  while (!context.IsCancelled() && !hold.IsOver()) {
    if (parts_.core.AwaitStop(kExportPollEvery)) return Unavailable("the coordinator is stopping");
  }
  return Gone();
}

grpc::Status BundleService::Import(grpc::ServerContext* context, const v1::ImportRequest* request,
                                   v1::ImportResponse* response) {
  absl::Status status = Check(*context, "Import");
  const Seat seat(open_);
  if (status.ok()) status = CheckSeat(seat);
  if (status.ok()) status = TakeBundle(*request, *response);
  return ToGrpc(status);
}

// Nothing is decided before all of it is there and fits together.
absl::StatusOr<Bundle> BundleService::ReadSent(const std::string& rows_sha256) {
  ASSIGN_OR_RETURN(const BlobStore::Facts facts, parts_.blobs.Stat(rows_sha256));
  if (!facts.complete)
    return InvalidArgument("its rows are not in the blob store; upload them first");
  if (facts.bytes > kMaxBundleRowsBytes) {
    return InvalidArgument(
        fmt::format("its rows have {} bytes, more than {}", facts.bytes, kMaxBundleRowsBytes));
  }
  ASSIGN_OR_RETURN(const std::string rows, parts_.blobs.Read(rows_sha256, 0, facts.bytes));
  ASSIGN_OR_RETURN(Bundle bundle, BundleFromRows(rows));
  RETURN_IF_ERROR(CheckComplete(parts_.blobs, FilesOf(bundle)));
  ASSIGN_OR_RETURN(const ArtifactFile manifest, FindCorpusManifest(bundle.corpus.files));
  ASSIGN_OR_RETURN(const std::string json,
                   parts_.blobs.Read(manifest.sha256, 0, kMaxCorpusManifestBytes));
  ASSIGN_OR_RETURN(Corpus corpus, CorpusFromManifest(json, bundle.corpus.files));
  if (corpus.id != bundle.sweep.corpus) return DataLoss("its corpus is another than its sweep's");
  corpus.name = bundle.corpus.name;
  bundle.corpus = std::move(corpus);
  return bundle;
}

absl::Status BundleService::TakeBundle(const v1::ImportRequest& request,
                                       v1::ImportResponse& response) {
  if (!IsSha256Hex(request.rows_sha256())) return InvalidArgument("rows_sha256: 64 hex digits");
  std::string name;
  if (!request.name().empty()) {
    ASSIGN_OR_RETURN(name, NameFromWire(request.name(), "name", kMaxSweepNameBytes));
  }
  const BlobCollector::Hold hold(parts_.collector);
  absl::StatusOr<Bundle> bundle = ReadSent(request.rows_sha256());
  if (!bundle.ok()) return Annotate(bundle.status(), "nothing was imported: the bundle");
  ASSIGN_OR_RETURN(const Scheduler::Imported imported,
                   parts_.core.Import(*std::move(bundle), name));
  LogInfo(fmt::format("sweep {} is imported: {} runs added, {} completed, {} kept", imported.name,
                      imported.runs_added, imported.runs_completed, imported.runs_kept));
  response.set_sweep_id(imported.sweep.text());
  response.set_name(imported.name);
  response.set_created(imported.created);
  response.set_runs_added(imported.runs_added);
  response.set_runs_completed(imported.runs_completed);
  response.set_runs_kept(imported.runs_kept);
  response.set_runs_open(imported.runs_open);
  return absl::OkStatus();
}

}  // namespace etude
