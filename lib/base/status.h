// Status values between modules, and the three macros every room shares.
//
// Debian's Abseil carries its own string_view, so no other header of ours names one of Abseil's
// string types: errors are made from std::string here, and a message is read with MessageOf.
#ifndef ETUDE_LIB_BASE_STATUS_H_
#define ETUDE_LIB_BASE_STATUS_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace etude {

// Makers, one per code that STYLE.md gives a meaning. `message` says what happened, where, and what
// to do next.
absl::Status InvalidArgument(const std::string& message);     // fix the request
absl::Status FailedPrecondition(const std::string& message);  // re-read: you are stale
absl::Status Unavailable(const std::string& message);         // send it again
absl::Status ResourceExhausted(const std::string& message);   // slow down, or free some space
absl::Status DataLoss(const std::string& message);            // stored bytes are bad
absl::Status Internal(const std::string& message);            // our bug
absl::Status NotFound(const std::string& message);
absl::Status AlreadyExists(const std::string& message);  // same name, other content
absl::Status Unauthenticated(const std::string& message);
absl::Status PermissionDenied(const std::string& message);
absl::Status DeadlineExceeded(const std::string& message);
absl::Status Cancelled(const std::string& message);
absl::Status Unimplemented(
    const std::string& message);  // named in the design, "not yet" in this version

// The status of a failed system call: `what` is the operation and its object ("write /x/y"),
// `error` an errno. ENOENT is kNotFound, ENOSPC and EDQUOT kResourceExhausted, EACCES and EPERM
// kPermissionDenied, others kInternal.
absl::Status FromErrno(int error, const std::string& what);

// The message without its code.
std::string MessageOf(const absl::Status& status);

// The same code with "where: " put before the message; OK stays OK.
absl::Status Annotate(const absl::Status& status, const std::string& where);

namespace internal {
[[noreturn]] void EnsureFailed(const char* condition, const char* file, int line);
}  // namespace internal

}  // namespace etude

// Stops the process: a false condition is a bug of ours, not an error of the user's.
#define ENSURE(condition)                                              \
  do {                                                                 \
    if (!(condition)) [[unlikely]]                                     \
      ::etude::internal::EnsureFailed(#condition, __FILE__, __LINE__); \
  } while (false)

#define RETURN_IF_ERROR(expression)                                                        \
  do {                                                                                     \
    if (absl::Status etude_status = (expression); !etude_status.ok()) return etude_status; \
  } while (false)

#define ETUDE_CONCAT_INNER(a, b) a##b
#define ETUDE_CONCAT(a, b) ETUDE_CONCAT_INNER(a, b)
#define ASSIGN_OR_RETURN(target, expression) \
  ASSIGN_OR_RETURN_IMPL(ETUDE_CONCAT(etude_or_, __LINE__), target, expression)
#define ASSIGN_OR_RETURN_IMPL(result, target, expression) \
  auto result = (expression);                             \
  if (!result.ok()) return std::move(result).status();    \
  target = *std::move(result)

#endif  // ETUDE_LIB_BASE_STATUS_H_
