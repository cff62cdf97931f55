#include "storage/file_blob_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <set>
#include <utility>
#include <vector>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr char kPartialDirectory[] = "/partial";
constexpr char kDamagedDirectory[] = "/damaged";
constexpr mode_t kFileMode = 0600;
constexpr std::size_t kHashChunkBytes = std::size_t{1} << 20;

absl::Status CheckName(const std::string& sha256) {
  if (IsSha256Hex(sha256)) return absl::OkStatus();
  return InvalidArgument("a blob's name is 64 lower-case hex digits of SHA-256");
}

absl::Status CheckRange(std::int64_t total_bytes, std::int64_t offset, std::size_t size) {
  if (total_bytes < 0 || total_bytes > FileBlobStore::kMaxBlobBytes) {
    return InvalidArgument("a blob has at most " + std::to_string(FileBlobStore::kMaxBlobBytes) +
                           " bytes");
  }
  if (offset < 0 || offset > total_bytes ||
      static_cast<std::int64_t>(size) > total_bytes - offset) {
    return InvalidArgument("the bytes at offset " + std::to_string(offset) +
                           " pass the blob's end at " + std::to_string(total_bytes));
  }
  return absl::OkStatus();
}

absl::Status NoBlob(const std::string& sha256) {
  return NotFound("no blob " + sha256 + " is stored; send it first");
}

absl::StatusOr<std::int64_t> SizeOf(int descriptor, const std::string& path) {
  struct stat facts {};
  if (fstat(descriptor, &facts) != 0) return FromErrno(errno, "stat " + path);
  return static_cast<std::int64_t>(facts.st_size);
}

// Reads at most `size` bytes; fewer only at the end of the file.
absl::StatusOr<std::string> ReadAt(int descriptor, std::int64_t offset, std::size_t size,
                                   const std::string& path) {
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count = pread(descriptor, bytes.data() + done, size - done,
                                offset + static_cast<std::int64_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FromErrno(errno, "read " + path);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

absl::Status WriteAt(int descriptor, std::int64_t offset, std::string_view bytes,
                     const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t count = pwrite(descriptor, bytes.data(), bytes.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FromErrno(errno, "write " + path);
    bytes.remove_prefix(static_cast<std::size_t>(count));
    offset += count;
  }
  return absl::OkStatus();
}

// A disk that fails is no bug of ours: what it refused may be sent again.
absl::Status OfThisDisk(const absl::Status& status) {
  if (!absl::IsInternal(status)) return status;
  return Unavailable(MessageOf(status) + ": the disk failed. See: dmesg | tail");
}

// The size of a file, whose time of change becomes now; -1 if there is none.
std::int64_t Touch(const std::string& path) {
  struct stat facts {};
  if (stat(path.c_str(), &facts) != 0) return -1;
  utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
  return facts.st_size;
}

}  // namespace

// A blob on its way in: its file and the hash of what has arrived.
class FileBlobStore::Upload {
 public:
  explicit Upload(std::string path) : path_(std::move(path)) {}
  ~Upload() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Mutex& mutex() ABSL_LOCK_RETURNED(mutex_) { return mutex_; }

  // Opens the file and hashes what a former upload left in it, the first time.
  absl::Status Start() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (over_) return FailedPrecondition("what was received is dropped; ask Stat and send again");
    if (descriptor_ >= 0) return absl::OkStatus();
    descriptor_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode);
    if (descriptor_ < 0) return FromErrno(errno, "create " + path_);
    absl::Status status = HashWhatIsThere();
    if (!status.ok()) over_ = true;
    return status;
  }

  // After an error the file is as long as before.
  absl::Status Write(std::string_view bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    absl::Status status = WriteAt(descriptor_, received_, bytes, path_);
    if (!status.ok()) {
      if (ftruncate(descriptor_, received_) != 0) over_ = true;
      return status;
    }
    hash_.Update(bytes);
    received_ += static_cast<std::int64_t>(bytes.size());
    return absl::OkStatus();
  }

  // Ends the upload: the file is synced and has the hash, or it is removed.
  absl::Status Finish(const std::string& sha256) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    over_ = true;
    if (fsync(descriptor_) != 0) {
      // What a failed sync has written is unknown, and a second one would not say.
      absl::Status status = FromErrno(errno, "sync " + path_);
      unlink(path_.c_str());
      return status;
    }
    const std::string found = hash_.HexDigest();
    if (found == sha256) return absl::OkStatus();
    unlink(path_.c_str());
    return DataLoss("blob " + sha256 + ": the bytes received have SHA-256 " + found +
                    "; they are dropped. Send it again from offset 0");
  }

  void Drop() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    over_ = true;
    unlink(path_.c_str());
  }

  bool over() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return over_; }
  std::int64_t received() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return received_; }

 private:
  absl::Status HashWhatIsThere() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ASSIGN_OR_RETURN(const std::int64_t size, SizeOf(descriptor_, path_));
    while (received_ < size) {
      ASSIGN_OR_RETURN(const std::string bytes,
                       ReadAt(descriptor_, received_, kHashChunkBytes, path_));
      if (bytes.empty()) break;
      hash_.Update(bytes);
      received_ += static_cast<std::int64_t>(bytes.size());
    }
    return absl::OkStatus();
  }

  const std::string path_;
  Mutex mutex_;
  int descriptor_ ABSL_GUARDED_BY(mutex_) = -1;
  std::int64_t received_ ABSL_GUARDED_BY(mutex_) = 0;
  Sha256 hash_ ABSL_GUARDED_BY(mutex_);
  bool over_ ABSL_GUARDED_BY(mutex_) = false;  // finished or dropped: of no further use
};

absl::StatusOr<std::unique_ptr<BlobStore>> BlobStore::Open(const std::string& directory) {
  RETURN_IF_ERROR(MakeDirectories(directory + kPartialDirectory, 0700));
  RETURN_IF_ERROR(SyncDirectory(directory));
  return std::unique_ptr<BlobStore>(new FileBlobStore(directory));
}

FileBlobStore::~FileBlobStore() = default;

std::string FileBlobStore::PathOf(const std::string& sha256) const {
  return directory_ + "/" + sha256.substr(0, 2) + "/" + sha256.substr(2);
}

std::string FileBlobStore::PartialPathOf(const std::string& sha256) const {
  return directory_ + kPartialDirectory + "/" + sha256;
}

std::int64_t FileBlobStore::TouchComplete(const std::string& sha256) {
  const MutexLock lock(mutex_);
  return Touch(PathOf(sha256));
}

std::int64_t FileBlobStore::TouchPartial(const std::string& sha256) {
  const MutexLock lock(mutex_);
  return std::max<std::int64_t>(0, Touch(PartialPathOf(sha256)));
}

absl::StatusOr<BlobStore::Facts> FileBlobStore::Stat(const std::string& sha256) {
  RETURN_IF_ERROR(CheckName(sha256));
  if (const std::int64_t bytes = TouchComplete(sha256); bytes >= 0) return Facts{true, bytes};
  return Facts{false, TouchPartial(sha256)};
}

void FileBlobStore::MakeRoom() {
  if (uploads_.size() < kMaxOpenUploads) return;
  auto oldest = uploads_.end();
  for (auto i = uploads_.begin(); i != uploads_.end(); ++i) {
    // One that a thread works on has a second owner.
    const bool idle = i->second.upload.use_count() == 1;
    if (idle && (oldest == uploads_.end() || i->second.used < oldest->second.used)) oldest = i;
  }
  if (oldest != uploads_.end()) uploads_.erase(oldest);
}

std::shared_ptr<FileBlobStore::Upload> FileBlobStore::UploadOf(const std::string& sha256) {
  const MutexLock lock(mutex_);
  if (!uploads_.contains(sha256)) {
    MakeRoom();
    uploads_[sha256].upload = std::make_shared<Upload>(PartialPathOf(sha256));
  }
  OpenUpload& open = uploads_[sha256];
  open.used = ++uses_;
  return open.upload;
}

void FileBlobStore::Forget(const std::string& sha256) {
  const MutexLock lock(mutex_);
  uploads_.erase(sha256);
}

absl::Status FileBlobStore::Publish(const std::string& sha256, const std::string& file) {
  const std::string target = PathOf(sha256);
  const std::string parent = std::filesystem::path(target).parent_path().string();
  if (!FileExists(parent)) {
    RETURN_IF_ERROR(MakeDirectories(parent, 0700));
    RETURN_IF_ERROR(SyncDirectory(directory_));
  }
  if (std::rename(file.c_str(), target.c_str()) != 0) {
    return FromErrno(errno, "rename " + file + " to " + target);
  }
  absl::Status status = SyncDirectory(parent);
  // Left there, it would be taken for durable when it is sent again.
  if (!status.ok()) unlink(target.c_str());
  return status;
}

absl::Status FileBlobStore::Append(const std::string& sha256, std::int64_t total_bytes,
                                   std::int64_t offset, std::string_view bytes) {
  RETURN_IF_ERROR(CheckName(sha256));
  RETURN_IF_ERROR(CheckRange(total_bytes, offset, bytes.size()));
  if (TouchComplete(sha256) >= 0) return absl::OkStatus();
  const std::shared_ptr<Upload> upload = UploadOf(sha256);
  const MutexLock lock(upload->mutex());
  // Another thread may have completed it meanwhile.
  if (TouchComplete(sha256) >= 0) return absl::OkStatus();
  absl::Status status = upload->Start();
  if (status.ok() && upload->received() > total_bytes) {
    upload->Drop();
    status = FailedPrecondition("blob " + sha256 + ": more than " + std::to_string(total_bytes) +
                                " bytes were here and are dropped. Send it again from offset 0");
  }
  if (status.ok() && upload->received() != offset) {
    status = FailedPrecondition("blob " + sha256 + ": " + std::to_string(upload->received()) +
                                " bytes are here, so offset " + std::to_string(offset) +
                                " does not follow. Ask Stat and go on from there");
  }
  if (status.ok()) status = upload->Write(bytes);
  if (status.ok() && upload->received() == total_bytes) {
    status = upload->Finish(sha256);
    if (status.ok()) status = Publish(sha256, PartialPathOf(sha256));
  }
  if (upload->over()) Forget(sha256);
  return OfThisDisk(status);
}

absl::StatusOr<std::string> FileBlobStore::Read(const std::string& sha256, std::int64_t offset,
                                                std::int64_t max_bytes) {
  RETURN_IF_ERROR(CheckName(sha256));
  if (offset < 0 || max_bytes < 0) return InvalidArgument("a blob is read from offset 0 on");
  const std::string path = PathOf(sha256);
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return errno == ENOENT ? NoBlob(sha256) : FromErrno(errno, "open " + path);
  absl::StatusOr<std::string> bytes = std::string();
  if (const absl::StatusOr<std::int64_t> size = SizeOf(descriptor, path); !size.ok()) {
    bytes = size.status();
  } else if (offset < *size) {
    const std::int64_t wanted = std::min({max_bytes, kMaxReadBytes, *size - offset});
    bytes = ReadAt(descriptor, offset, static_cast<std::size_t>(wanted), path);
  }
  close(descriptor);
  return bytes;
}

absl::StatusOr<std::string> FileBlobStore::Put(std::string_view bytes) {
  RETURN_IF_ERROR(CheckRange(static_cast<std::int64_t>(bytes.size()), 0, bytes.size()));
  const std::string sha256 = Sha256Hex(bytes);
  if (TouchComplete(sha256) >= 0) return sha256;
  const std::string file = directory_ + kPartialDirectory + "/put." + std::to_string(++puts_);
  RETURN_IF_ERROR(WriteFileAtomically(file, bytes, kFileMode));
  const absl::Status status = Publish(sha256, file);
  if (status.ok()) return sha256;
  unlink(file.c_str());
  return OfThisDisk(status);
}

bool FileBlobStore::RemoveIfOld(const std::string& path, const std::string& sha256,
                                absl::Time cutoff) {
  const MutexLock lock(mutex_);
  struct stat facts {};
  if (stat(path.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) return false;
  if (absl::TimeFromTimespec(facts.st_mtim) >= cutoff) return false;
  const auto open = uploads_.find(sha256);
  if (open != uploads_.end()) {
    if (open->second.upload.use_count() > 1) return false;  // a thread is writing it
    uploads_.erase(open);
  }
  return unlink(path.c_str()) == 0;
}

absl::Status FileBlobStore::Check(const std::string& sha256) {
  RETURN_IF_ERROR(CheckName(sha256));
  const absl::StatusOr<std::string> found = Sha256HexOfFile(PathOf(sha256));
  if (found.status().code() == absl::StatusCode::kNotFound) return NoBlob(sha256);
  if (!found.ok()) return found.status();
  if (*found == sha256) return absl::OkStatus();
  RETURN_IF_ERROR(SetAside(sha256));
  return DataLoss("blob " + sha256 + ": its bytes on the disk are damaged; it is set aside");
}

absl::Status FileBlobStore::SetAside(const std::string& sha256) {
  RETURN_IF_ERROR(CheckName(sha256));
  RETURN_IF_ERROR(MakeDirectories(directory_ + kDamagedDirectory, 0700));
  const std::string from = PathOf(sha256);
  const std::string to = directory_ + kDamagedDirectory + "/" + sha256;
  const MutexLock lock(mutex_);
  if (std::rename(from.c_str(), to.c_str()) != 0) {
    return errno == ENOENT ? NoBlob(sha256) : FromErrno(errno, "rename " + from);
  }
  Touch(to);
  return SyncDirectory(std::filesystem::path(from).parent_path().string());
}

absl::StatusOr<std::vector<FileBlobStore::Stored>> FileBlobStore::List(
    const std::vector<std::string>& referenced) const {
  const std::set<std::string> kept(referenced.begin(), referenced.end());
  std::vector<Stored> files;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator i(directory_, error), end; !error && i != end;
       i.increment(error)) {
    if (i.depth() != 1) continue;
    const std::string directory = "/" + i->path().parent_path().filename().string();
    const std::string name = i->path().filename().string();
    const bool partial = directory == kPartialDirectory;
    const bool damaged = directory == kDamagedDirectory;
    Stored file{.path = i->path().string(),
                .blob = partial || damaged ? name : directory.substr(1) + name};
    const bool is_blob = IsSha256Hex(file.blob);
    // Anything left among the partial ones is ours; elsewhere only what is called like a blob.
    if (!partial && !is_blob) continue;
    const bool overtaken = partial && is_blob && FileExists(PathOf(file.blob));
    file.named = !partial && !damaged && kept.contains(file.blob);
    file.spare = damaged || overtaken || !kept.contains(file.blob);
    std::error_code gone;
    const auto bytes = i->file_size(gone);
    file.bytes = gone ? 0 : static_cast<std::int64_t>(bytes);
    files.push_back(std::move(file));
  }
  if (error) return FromErrno(error.value(), "list " + directory_);
  return files;
}

absl::StatusOr<BlobStore::Usage> FileBlobStore::Measure(
    const std::vector<std::string>& referenced) {
  ASSIGN_OR_RETURN(const std::vector<Stored> files, List(referenced));
  Usage usage;
  for (const Stored& file : files) {
    if (file.named) {
      ++usage.named;
      usage.named_bytes += file.bytes;
    } else if (file.spare) {
      ++usage.others;
      usage.other_bytes += file.bytes;
    }
  }
  return usage;
}

absl::StatusOr<int> FileBlobStore::Collect(const std::vector<std::string>& referenced,
                                           absl::Time cutoff) {
  ASSIGN_OR_RETURN(const std::vector<Stored> files, List(referenced));
  int removed = 0;
  for (const Stored& file : files) {
    if (file.spare && RemoveIfOld(file.path, file.blob, cutoff)) ++removed;
  }
  return removed;
}

}  // namespace etude
