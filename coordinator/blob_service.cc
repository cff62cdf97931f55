#include "coordinator/blob_service.h"

#include <fmt/format.h>

#include <utility>

#include "coordinator/authentication_service.h"
#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/base/status.h"
#include "proto/convert.h"
#include "proto/grpc_status.h"

namespace etude {
namespace {

absl::Status CheckName(const std::string& sha256) {
  if (IsSha256Hex(sha256)) return absl::OkStatus();
  return InvalidArgument("sha256: expected 64 lower-case hex digits");
}

absl::Status CheckChunk(const v1::Chunk& chunk) {
  if (static_cast<std::int64_t>(chunk.data().size()) > kBlobChunkBytes) {
    return InvalidArgument(
        fmt::format("chunk of {} bytes, more than {}", chunk.data().size(), kBlobChunkBytes));
  }
  if (chunk.offset() < 0) return InvalidArgument("chunk offset: must not be negative");
  if (Crc32c(chunk.data()) != chunk.crc32c()) {
    return Unavailable(fmt::format(
        "the chunk at offset {} was damaged on its way (CRC-32C differs); send it again",
        chunk.offset()));
  }
  return absl::OkStatus();
}

}  // namespace

grpc::Status BlobService::Stat(grpc::ServerContext* context, const v1::StatRequest* request,
                               v1::StatResponse* response) {
  absl::Status status =
      CheckCaller(authentication_, *context, "/etude.v1.BlobService/Stat").status();
  if (status.ok()) status = CheckName(request->sha256());
  if (!status.ok()) return ToGrpc(status);
  const absl::StatusOr<BlobStore::Facts> facts = blobs_.Stat(request->sha256());
  if (!facts.ok()) return ToGrpc(facts.status());
  response->set_complete(facts->complete);
  response->set_bytes(facts->bytes);
  return grpc::Status::OK;
}

grpc::Status BlobService::Read(grpc::ServerContext* context, const v1::ReadRequest* request,
                               grpc::ServerWriter<v1::Chunk>* writer) {
  absl::Status status =
      CheckCaller(authentication_, *context, "/etude.v1.BlobService/Read").status();
  if (status.ok()) status = CheckName(request->sha256());
  if (status.ok()) status = SendChunks(*context, *request, *writer);
  return ToGrpc(status);
}

absl::Status BlobService::SendChunks(const grpc::ServerContext& context,
                                     const v1::ReadRequest& request,
                                     grpc::ServerWriter<v1::Chunk>& writer) {
  std::int64_t offset = request.offset();
  if (offset < 0) return InvalidArgument("offset: must not be negative");
  const bool whole = offset == 0;
  Sha256 hash;
  while (!context.IsCancelled()) {
    absl::StatusOr<std::string> read = blobs_.Read(request.sha256(), offset, kBlobChunkBytes);
    if (read.status().code() == absl::StatusCode::kNotFound) on_lost_(request.sha256());
    if (!read.ok()) return read.status();
    std::string bytes = *std::move(read);
    if (bytes.empty()) {
      return !whole || hash.HexDigest() == request.sha256() ? absl::OkStatus()
                                                            : SetAside(request.sha256());
    }
    hash.Update(bytes);
    v1::Chunk chunk;
    chunk.set_offset(offset);
    chunk.set_crc32c(Crc32c(bytes));
    offset += static_cast<std::int64_t>(bytes.size());
    chunk.set_data(std::move(bytes));
    if (!writer.Write(chunk)) break;
  }
  return Cancelled("the reader of the blob has gone");
}

absl::Status BlobService::SetAside(const std::string& sha256) {
  LogError("blob " + sha256 + " is damaged on the disk; it is set aside. See: etude db verify");
  RETURN_IF_ERROR(blobs_.SetAside(sha256));
  on_lost_(sha256);
  return DataLoss("blob " + sha256 +
                  " is damaged on the coordinator's disk; it is set aside, and what needs it is "
                  "made again. See: etude db verify");
}

grpc::Status BlobService::Write(grpc::ServerContext* context,
                                grpc::ServerReader<v1::WriteRequest>* reader,
                                v1::WriteResponse* response) {
  absl::Status status =
      CheckCaller(authentication_, *context, "/etude.v1.BlobService/Write").status();
  if (status.ok()) status = TakeChunks(*reader, *response);
  return ToGrpc(status);
}

absl::Status BlobService::TakeChunks(grpc::ServerReader<v1::WriteRequest>& reader,
                                     v1::WriteResponse& response) {
  v1::WriteRequest request;
  std::string sha256;
  std::int64_t total = 0;
  while (reader.Read(&request)) {
    if (sha256.empty()) {
      sha256 = request.sha256();
      total = request.total_bytes();
      RETURN_IF_ERROR(CheckName(sha256));
      if (total < 0 || total > kMaxBlobBytes) {
        return InvalidArgument(fmt::format("total_bytes: expected 0 to {}", kMaxBlobBytes));
      }
    }
    const v1::Chunk& chunk = request.chunk();
    RETURN_IF_ERROR(CheckChunk(chunk));
    RETURN_IF_ERROR(blobs_.Append(sha256, total, chunk.offset(), chunk.data()));
  }
  if (sha256.empty()) return InvalidArgument("a write needs its first message");
  ASSIGN_OR_RETURN(const BlobStore::Facts facts, blobs_.Stat(sha256));
  if (!facts.complete) {
    return Unavailable(
        fmt::format("received {} of {} bytes; go on from there", facts.bytes, total));
  }
  response.set_bytes(facts.bytes);
  return absl::OkStatus();
}

}  // namespace etude
