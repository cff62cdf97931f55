// From a Status to what a person or a script gets: an exit code, and an error in three parts: what
// happened, where, and the next command to type.
#ifndef ETUDE_CLIENT_FAILURE_H_
#define ETUDE_CLIENT_FAILURE_H_

#include <span>
#include <string>

#include "absl/status/status.h"
#include "lib/scaling/spec.h"

namespace etude {

// A contract with scripts.
enum class ExitCode {
  kOk = 0,
  kInternal = 1,
  kUsage = 2,  // or an invalid spec or input
  kNotFound = 3,
  kAuth = 4,
  kUnreachable = 5,  // the coordinator
  kConflict = 6,
  kSomeRunsFailed = 7,  // the sweep ended
  kRefused = 8,         // by a budget or quota
  kDataLoss = 9,
  kNotIdentifiable = 10,
  kTimeout = 124,
  kInterrupted = 130,
};

ExitCode ExitCodeOf(const absl::Status& status);
// The stable word of JSON errors: "not_found", "unreachable", ...
std::string CodeName(const absl::Status& status);
// True when the same command may succeed later without a change.
bool IsRetryable(const absl::Status& status);

// The same error with the next command to type; the one given first stays.
absl::Status WithHint(const absl::Status& status, const std::string& hint);
// The same error with where it happened: a file, an endpoint; the one given first stays.
absl::Status WithWhere(const absl::Status& status, const std::string& where);
// An invalid spec, with every position for JSON. `hint` checks the file again.
absl::Status SpecFailure(std::span<const SpecDiagnostic> errors, const std::string& hint);
// An error of a call that named a sweep: when there is no such one, the hint lists those there are.
absl::Status OfSweep(const absl::Status& status);
// An error of a file on this machine: what may not be read or written is a wrong argument, not a
// missing right at the coordinator.
absl::Status OfLocalFile(const absl::Status& status);

// For people: at most three parts, each on its own lines, the command last.
std::string FailureText(const absl::Status& status);
// {"error":{"code","message","hint","retryable","where"}} and a newline; an invalid spec also has
// "errors".
std::string FailureJson(const absl::Status& status);

}  // namespace etude

#endif  // ETUDE_CLIENT_FAILURE_H_
