// Whole files, written so that a crash leaves the old file or the new one and never a part of
// either.
#ifndef ETUDE_LIB_BASE_FILE_H_
#define ETUDE_LIB_BASE_FILE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace etude {

// Reads a whole file of at most `max_bytes`. kNotFound, kPermissionDenied; kInvalidArgument if it
// is larger or a directory.
absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     std::int64_t max_bytes = std::int64_t{1} << 34);

// Writes `bytes` beside `path`, syncs, renames over `path` and syncs the directory. `mode` is the
// file's permission bits; where root replaces another user's file, its owner stays. On any error
// the temporary is removed and `path` is as it was. kResourceExhausted: disk full.
// kInvalidArgument: a device or a pipe is there.
absl::Status WriteFileAtomically(const std::string& path, std::string_view bytes,
                                 unsigned mode = 0644);

// Creates a directory and its parents; an existing one is fine. `mode` applies to the last
// component when it is made.
absl::Status MakeDirectories(const std::string& path, unsigned mode = 0755);

// Makes what was written to a file durable.
absl::Status SyncFile(const std::string& path);

// Makes the entries of a directory durable after a rename or an unlink in it.
absl::Status SyncDirectory(const std::string& path);

bool FileExists(const std::string& path);

// True when `name` is one path component that can leave no directory: [A-Za-z0-9._-]{1,128}, not
// "." or "..".
bool IsSafeFileName(std::string_view name);

}  // namespace etude

#endif  // ETUDE_LIB_BASE_FILE_H_
