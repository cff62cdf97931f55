#include "lib/base/status.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace etude {

absl::Status InvalidArgument(const std::string& m) { return absl::InvalidArgumentError(m); }
absl::Status FailedPrecondition(const std::string& m) { return absl::FailedPreconditionError(m); }
absl::Status Unavailable(const std::string& m) { return absl::UnavailableError(m); }
absl::Status ResourceExhausted(const std::string& m) { return absl::ResourceExhaustedError(m); }
absl::Status DataLoss(const std::string& m) { return absl::DataLossError(m); }
absl::Status Internal(const std::string& m) { return absl::InternalError(m); }
absl::Status NotFound(const std::string& m) { return absl::NotFoundError(m); }
absl::Status AlreadyExists(const std::string& m) { return absl::AlreadyExistsError(m); }
absl::Status Unauthenticated(const std::string& m) { return absl::UnauthenticatedError(m); }
absl::Status PermissionDenied(const std::string& m) { return absl::PermissionDeniedError(m); }
absl::Status DeadlineExceeded(const std::string& m) { return absl::DeadlineExceededError(m); }
absl::Status Cancelled(const std::string& m) { return absl::CancelledError(m); }
absl::Status Unimplemented(const std::string& m) { return absl::UnimplementedError(m); }

absl::Status FromErrno(int error, const std::string& what) {
  const std::string message = what + ": " + std::strerror(error);
  switch (error) {
    case ENOENT:
      return NotFound(message);
    case ENOSPC:
    case EDQUOT:
      return ResourceExhausted(message + " (free some space, then repeat the command)");
    case EACCES:
    case EPERM:
      return PermissionDenied(message);
    default:
      return Internal(message);
  }
}

std::string MessageOf(const absl::Status& status) {
  return std::string(status.message().data(), status.message().size());
}

absl::Status Annotate(const absl::Status& status, const std::string& where) {
  if (status.ok()) return status;
  return absl::Status(status.code(), where + ": " + MessageOf(status));
}

namespace internal {

void EnsureFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line, condition);
  std::abort();
}

}  // namespace internal
}  // namespace etude
