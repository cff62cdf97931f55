#include "coordinator/store_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

#include "coordinator/authentication_service.h"
#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/base/status.h"
#include "proto/convert.h"
#include "proto/grpc_status.h"
#include "storage/backup_manifest.h"
#include "storage/snapshot.h"
#include "storage/sqlite.h"
#include "storage/state_disk.h"

namespace etude {
namespace {

// Counts an open call for as long as it lives.
class Seat {
 public:
  explicit Seat(std::atomic<int>& taken) : taken_(taken), number_(++taken) {}
  ~Seat() { --taken_; }
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;
  absl::Status Check() const {
    if (number_ <= kMaxStoreReaders) return absl::OkStatus();
    return ResourceExhausted(fmt::format(
        "{} backups or checks of the store are running; wait for one to end", kMaxStoreReaders));
  }

 private:
  std::atomic<int>& taken_;
  const int number_;
};

absl::Status Gone() { return Cancelled("the caller has gone"); }

std::int64_t FileBytes(const std::string& path) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  return error ? 0 : static_cast<std::int64_t>(bytes);
}

// What a backup of the snapshot holds: of the blobs that it names, those that are there.
absl::StatusOr<BackupManifest> ManifestOf(const Snapshot& snapshot,
                                          const ClientService::Parts& parts) {
  BackupManifest manifest;
  manifest.software = parts.facts.software;
  manifest.created_at_us = ToMicros(parts.clock.Now());
  manifest.schema_version = snapshot.schema_version();
  manifest.database = {DatabaseFileName(snapshot.sha256()), snapshot.bytes(), snapshot.sha256()};
  for (const NamedBlob& blob : snapshot.blobs()) {
    ASSIGN_OR_RETURN(const BlobStore::Facts facts, parts.blobs.Stat(blob.sha256));
    const bool whole = facts.complete && (blob.bytes == kAnyBytes || blob.bytes == facts.bytes);
    if (whole) {
      manifest.blobs.push_back({BlobPath(blob.sha256), facts.bytes, blob.sha256});
    } else {
      manifest.missing.push_back(blob.sha256);
    }
  }
  return manifest;
}

class BackupSender {
 public:
  explicit BackupSender(grpc::ServerWriter<v1::BackupPart>& writer) : writer_(writer) {}

  bool SendCopied(std::int64_t pages_done, std::int64_t pages) {
    v1::BackupPart part;
    part.mutable_copied()->set_pages_done(pages_done);
    part.mutable_copied()->set_pages(pages);
    return writer_.Write(part);
  }

  absl::Status SendOffer(const BackupManifest& manifest, const std::string& json) {
    v1::BackupPart part;
    v1::BackupPart::Offer& offer = *part.mutable_offer();
    *offer.mutable_database() = ToWire(
        ArtifactFile{manifest.database.path, manifest.database.sha256, manifest.database.bytes});
    offer.set_blobs(static_cast<std::int64_t>(manifest.blobs.size()));
    offer.set_manifest_bytes(static_cast<std::int64_t>(json.size()));
    const std::size_t named = std::min<std::size_t>(manifest.missing.size(), kMaxBlobsPerPart);
    offer.mutable_missing()->Assign(manifest.missing.begin(),
                                    manifest.missing.begin() + static_cast<std::ptrdiff_t>(named));
    return Send(part);
  }

  absl::Status SendBlobs(const std::vector<BackupFile>& blobs) {
    v1::BackupPart part;
    for (std::size_t i = 0; i < blobs.size(); ++i) {
      v1::ArtifactFile& blob = *part.mutable_blobs()->add_blobs();
      blob.set_sha256(blobs[i].sha256);
      blob.set_bytes(blobs[i].bytes);
      const bool full = part.blobs().blobs_size() == kMaxBlobsPerPart;
      if (!full && i + 1 < blobs.size()) continue;
      RETURN_IF_ERROR(Send(part));
      part.clear_blobs();
    }
    return absl::OkStatus();
  }

  absl::Status SendManifest(const std::string& json) {
    for (std::size_t at = 0; at < json.size(); at += kBlobChunkBytes) {
      v1::BackupPart part;
      part.set_manifest(json.substr(at, kBlobChunkBytes));
      RETURN_IF_ERROR(Send(part));
    }
    return absl::OkStatus();
  }

  absl::Status SendDatabase(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string bytes(kBlobChunkBytes, '\0');
    for (std::int64_t offset = 0;;) {
      file.read(bytes.data(), kBlobChunkBytes);
      const std::streamsize count = file.gcount();
      if (count == 0) return file.eof() ? absl::OkStatus() : Unavailable("cannot read " + path);
      v1::BackupPart part;
      v1::Chunk& chunk = *part.mutable_database();
      chunk.set_offset(offset);
      chunk.set_data(bytes.data(), static_cast<std::size_t>(count));
      chunk.set_crc32c(Crc32c(chunk.data()));
      RETURN_IF_ERROR(Send(part));
      offset += count;
    }
  }

 private:
  absl::Status Send(const v1::BackupPart& part) {
    return writer_.Write(part) ? absl::OkStatus() : Gone();
  }

  grpc::ServerWriter<v1::BackupPart>& writer_;
};

// Says how far a check of the store has come, and what it found.
class Verdict {
 public:
  Verdict(const grpc::ServerContext& context, grpc::ServerWriter<v1::VerifyPart>& writer,
          std::int64_t bytes)
      : context_(context), writer_(writer) {
    part_.set_bytes(bytes);
  }

  bool Done(std::int64_t bytes) {
    part_.clear_problem();
    part_.set_done_bytes(part_.done_bytes() + bytes);
    return !context_.IsCancelled() && writer_.Write(part_);
  }
  bool Found(const std::string& problem) {
    LogError("etude db verify: " + problem);
    part_.set_problem(problem);
    return writer_.Write(part_);
  }

 private:
  const grpc::ServerContext& context_;
  grpc::ServerWriter<v1::VerifyPart>& writer_;
  v1::VerifyPart part_;
};

}  // namespace

absl::Status StoreService::Check(const grpc::ServerContext& context, const char* method) const {
  return CheckCaller(parts_.authentication, context,
                     std::string("/etude.v1.StoreService/") + method)
      .status();
}

grpc::Status StoreService::GetStore(grpc::ServerContext* context, const v1::GetStoreRequest*,
                                    v1::GetStoreResponse* response) {
  absl::Status status = Check(*context, "GetStore");
  if (status.ok()) status = FillStore(*response);
  return ToGrpc(status);
}

absl::Status StoreService::FillStore(v1::GetStoreResponse& response) {
  const std::string& path = parts_.facts.store_path;
  response.set_database_bytes(FileBytes(path) + FileBytes(path + "-wal"));
  ASSIGN_OR_RETURN(const std::vector<std::string> named, parts_.reader.ReferencedBlobs());
  ASSIGN_OR_RETURN(const BlobStore::Usage usage, parts_.blobs.Measure(named));
  response.set_blobs(usage.named);
  response.set_blob_bytes(usage.named_bytes);
  response.set_reclaimable(usage.others);
  response.set_reclaimable_bytes(usage.other_bytes);
  response.set_free_bytes(FreeBytesOf(parts_.facts.state_dir).value_or(0));
  return absl::OkStatus();
}

grpc::Status StoreService::Backup(grpc::ServerContext* context, const v1::BackupRequest*,
                                  grpc::ServerWriter<v1::BackupPart>* writer) {
  absl::Status status = Check(*context, "Backup");
  const Seat seat(readers_);
  if (status.ok()) status = seat.Check();
  if (status.ok()) status = SendBackup(*context, *writer);
  return ToGrpc(status);
}

// Blobs are held from before the snapshot, so that what it names stays, until the caller hangs up.
absl::Status StoreService::SendBackup(const grpc::ServerContext& context,
                                      grpc::ServerWriter<v1::BackupPart>& writer) {
  const BlobCollector::Hold hold(parts_.collector);
  BackupSender sender(writer);
  const auto go_on = [&](std::int64_t done, std::int64_t all) {
    return sender.SendCopied(done, all);
  };
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<Snapshot> snapshot,
                     Snapshot::Take({parts_.facts.store_path, parts_.facts.min_free_bytes, go_on}));
    ASSIGN_OR_RETURN(const BackupManifest manifest, ManifestOf(*snapshot, parts_));
    const std::string json = ManifestToJson(manifest);
    RETURN_IF_ERROR(sender.SendOffer(manifest, json));
    RETURN_IF_ERROR(sender.SendBlobs(manifest.blobs));
    RETURN_IF_ERROR(sender.SendManifest(json));
    RETURN_IF_ERROR(sender.SendDatabase(snapshot->path()));
    LogInfo(fmt::format("a backup is made: {} bytes and {} blobs", snapshot->bytes(),
                        manifest.blobs.size()));
  }
  while (!context.IsCancelled() && !hold.IsOver()) {
    if (parts_.core.AwaitStop(kBackupPollEvery)) return Unavailable("the coordinator is stopping");
  }
  return Gone();
}

grpc::Status StoreService::Verify(grpc::ServerContext* context, const v1::VerifyRequest*,
                                  grpc::ServerWriter<v1::VerifyPart>* writer) {
  absl::Status status = Check(*context, "Verify");
  const Seat seat(readers_);
  if (status.ok()) status = seat.Check();
  if (status.ok()) status = SendVerdict(*context, *writer);
  return ToGrpc(status);
}

absl::Status StoreService::SendVerdict(const grpc::ServerContext& context,
                                       grpc::ServerWriter<v1::VerifyPart>& writer) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Database> database,
                   Database::Open(parts_.facts.store_path, Database::Access::kReadOnly));
  ASSIGN_OR_RETURN(const std::vector<NamedBlob> blobs, NamedBlobs(*database));
  std::int64_t bytes = database->bytes();
  for (const NamedBlob& blob : blobs) bytes += std::max<std::int64_t>(blob.bytes, 0);
  Verdict verdict(context, writer, bytes);
  ASSIGN_OR_RETURN(const std::vector<std::string> damage,
                   database->FindDamage([&] { return verdict.Done(0); }));
  for (const std::string& line : damage) {
    if (!verdict.Found("etude.db: " + line)) return Gone();
  }
  if (!verdict.Done(database->bytes())) return Gone();
  for (const NamedBlob& blob : blobs) {
    absl::Status status = parts_.blobs.Check(blob.sha256);
    const absl::StatusCode code = status.code();
    const bool lost = code == absl::StatusCode::kNotFound || code == absl::StatusCode::kDataLoss;
    if (lost) parts_.core.LoseBlob(blob.sha256);
    if (lost && !verdict.Found(MessageOf(status))) return Gone();
    if (!status.ok() && !lost) return status;
    if (!verdict.Done(std::max<std::int64_t>(blob.bytes, 0))) return Gone();
  }
  return absl::OkStatus();
}

}  // namespace etude
