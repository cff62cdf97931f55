#include "proto/grpc_status.h"

#include "lib/base/status.h"

namespace etude {
namespace {

#define ETUDE_SAME(absl_code, grpc_code)                         \
  static_assert(static_cast<int>(absl::StatusCode::absl_code) == \
                static_cast<int>(grpc::StatusCode::grpc_code))
ETUDE_SAME(kOk, OK);
ETUDE_SAME(kCancelled, CANCELLED);
ETUDE_SAME(kUnknown, UNKNOWN);
ETUDE_SAME(kInvalidArgument, INVALID_ARGUMENT);
ETUDE_SAME(kDeadlineExceeded, DEADLINE_EXCEEDED);
ETUDE_SAME(kNotFound, NOT_FOUND);
ETUDE_SAME(kAlreadyExists, ALREADY_EXISTS);
ETUDE_SAME(kPermissionDenied, PERMISSION_DENIED);
ETUDE_SAME(kResourceExhausted, RESOURCE_EXHAUSTED);
ETUDE_SAME(kFailedPrecondition, FAILED_PRECONDITION);
ETUDE_SAME(kAborted, ABORTED);
ETUDE_SAME(kOutOfRange, OUT_OF_RANGE);
ETUDE_SAME(kUnimplemented, UNIMPLEMENTED);
ETUDE_SAME(kInternal, INTERNAL);
ETUDE_SAME(kUnavailable, UNAVAILABLE);
ETUDE_SAME(kDataLoss, DATA_LOSS);
ETUDE_SAME(kUnauthenticated, UNAUTHENTICATED);
#undef ETUDE_SAME

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(static_cast<int>(status.code())),
                      MessageOf(status));
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(static_cast<int>(status.error_code())),
                      status.error_message());
}

}  // namespace etude
