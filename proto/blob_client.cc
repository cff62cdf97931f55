#include "proto/blob_client.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "etude/v1/blob.grpc.pb.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "proto/convert.h"
#include "proto/grpc_status.h"

namespace etude {
namespace {

// A transfer's deadline: time for a slow link on top of the data deadline.
constexpr std::int64_t kSlowestBytesPerSecond = 1 << 20;

absl::Duration TransferDeadline(std::int64_t bytes) {
  return kDataDeadline + absl::Seconds(bytes / kSlowestBytesPerSecond);
}

// A file that is read or appended to from an offset.
class ChunkFile {
 public:
  ChunkFile(const std::string& path, int flags)
      : path_(path), fd_(open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~ChunkFile() {
    if (fd_ >= 0) close(fd_);
  }
  ChunkFile(const ChunkFile&) = delete;
  ChunkFile& operator=(const ChunkFile&) = delete;

  absl::Status Opened() const {
    return fd_ >= 0 ? absl::OkStatus() : FromErrno(errno, "open " + path_);
  }
  absl::StatusOr<std::int64_t> Size() const {
    struct stat facts {};
    if (fstat(fd_, &facts) != 0) return FromErrno(errno, "stat " + path_);
    return facts.st_size;
  }
  absl::StatusOr<std::string> ReadAt(std::int64_t offset, std::int64_t count) const {
    std::string bytes(static_cast<std::size_t>(count), '\0');
    const ssize_t got = pread(fd_, bytes.data(), bytes.size(), offset);
    if (got < 0) return FromErrno(errno, "read " + path_);
    bytes.resize(static_cast<std::size_t>(got));
    return bytes;
  }
  absl::Status WriteAt(std::int64_t offset, const std::string& bytes) const {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t put =
          pwrite(fd_, bytes.data() + done, bytes.size() - done, offset + static_cast<off_t>(done));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return FromErrno(errno, "write " + path_);
      done += static_cast<std::size_t>(put);
    }
    return absl::OkStatus();
  }
  absl::Status Sync() const {
    return fsync(fd_) == 0 ? absl::OkStatus() : FromErrno(errno, "fsync " + path_);
  }

 private:
  std::string path_;
  int fd_;
};

}  // namespace

absl::StatusOr<ArtifactFile> BlobClient::Upload(const std::string& path, const Progress& progress) {
  ArtifactFile file;
  file.name = std::filesystem::path(path).filename().string();
  ASSIGN_OR_RETURN(file.sha256, Sha256HexOfFile(path));
  std::error_code error;
  file.bytes = static_cast<std::int64_t>(std::filesystem::file_size(path, error));
  if (error) return FromErrno(error.value(), "stat " + path);
  RETURN_IF_ERROR(
      Annotate(WithRetry(RetryOptions(), clock_, [&] { return UploadOnce(path, file, progress); }),
               "upload " + path));
  return file;
}

absl::Status BlobClient::UploadOnce(const std::string& path, const ArtifactFile& file,
                                    const Progress& progress) {
  const std::unique_ptr<v1::BlobService::Stub> stub = v1::BlobService::NewStub(channel_.channel());
  grpc::ClientContext stat_context;
  channel_.Prepare(stat_context, kControlDeadline);
  v1::StatRequest stat;
  stat.set_sha256(file.sha256);
  v1::StatResponse facts;
  RETURN_IF_ERROR(FromGrpc(stub->Stat(&stat_context, stat, &facts)));
  if (facts.complete()) return absl::OkStatus();

  const ChunkFile source(path, O_RDONLY);
  RETURN_IF_ERROR(source.Opened());
  grpc::ClientContext context;
  channel_.Prepare(context, TransferDeadline(file.bytes - facts.bytes()));
  v1::WriteResponse response;
  const auto writer = stub->Write(&context, &response);
  v1::WriteRequest request;
  request.set_sha256(file.sha256);
  request.set_total_bytes(file.bytes);
  std::int64_t offset = std::min(facts.bytes(), file.bytes);
  do {  // an empty file is one empty chunk
    ASSIGN_OR_RETURN(std::string bytes, source.ReadAt(offset, kBlobChunkBytes));
    if (bytes.empty() && offset < file.bytes)
      return DataLoss("the file became shorter while it was read");
    request.mutable_chunk()->set_offset(offset);
    request.mutable_chunk()->set_crc32c(Crc32c(bytes));
    offset += static_cast<std::int64_t>(bytes.size());
    request.mutable_chunk()->set_data(std::move(bytes));
    if (!writer->Write(request)) break;  // the status says why
    request.clear_sha256();
    request.clear_total_bytes();
    if (progress && !progress(offset)) {
      context.TryCancel();
      break;
    }
  } while (offset < file.bytes);
  writer->WritesDone();
  return FromGrpc(writer->Finish());
}

absl::Status BlobClient::Download(const ArtifactFile& file, const std::string& path,
                                  const Progress& progress) {
  const std::string part = path + ".part";
  RETURN_IF_ERROR(Annotate(
      WithRetry(RetryOptions(), clock_, [&] { return DownloadOnce(file, part, progress); }),
      "download " + path));
  ASSIGN_OR_RETURN(const std::string sha256, Sha256HexOfFile(part));
  if (sha256 != file.sha256) {
    unlink(part.c_str());
    return DataLoss("download " + path +
                    ": the bytes do not have the hash they were asked for by; try again");
  }
  if (std::rename(part.c_str(), path.c_str()) != 0) return FromErrno(errno, "rename " + part);
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return SyncDirectory(parent.empty() ? "." : parent);
}

absl::Status BlobClient::DownloadOnce(const ArtifactFile& file, const std::string& part,
                                      const Progress& progress) {
  const ChunkFile target(part, O_WRONLY | O_CREAT);
  RETURN_IF_ERROR(target.Opened());
  ASSIGN_OR_RETURN(std::int64_t offset, target.Size());
  if (offset > file.bytes)
    return DataLoss("its .part file is longer than the blob; delete it and try again");

  const std::unique_ptr<v1::BlobService::Stub> stub = v1::BlobService::NewStub(channel_.channel());
  grpc::ClientContext context;
  channel_.Prepare(context, TransferDeadline(file.bytes - offset));
  v1::ReadRequest request;
  request.set_sha256(file.sha256);
  request.set_offset(offset);
  const auto reader = stub->Read(&context, request);
  v1::Chunk chunk;
  absl::Status status;
  while (status.ok() && reader->Read(&chunk)) {
    if (chunk.offset() != offset || Crc32c(chunk.data()) != chunk.crc32c()) {
      status = Unavailable("a chunk came damaged");
    } else {
      status = target.WriteAt(offset, chunk.data());
      offset += static_cast<std::int64_t>(chunk.data().size());
    }
    if (status.ok() && progress && !progress(offset)) status = Cancelled("stopped");
  }
  if (!status.ok()) {
    context.TryCancel();
    (void)reader->Finish();
    return status;
  }
  RETURN_IF_ERROR(FromGrpc(reader->Finish()));
  if (offset != file.bytes) return Unavailable("the blob ended early");
  return target.Sync();
}

}  // namespace etude
