// One mapping between absl::Status and grpc::Status; both use the same numbers, which
// grpc_status.cc proves when it compiles.
#ifndef ETUDE_PROTO_GRPC_STATUS_H_
#define ETUDE_PROTO_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace etude {

grpc::Status ToGrpc(const absl::Status& status);
// A transport failure (no connection, no answer) is kUnavailable, a deadline kDeadlineExceeded.
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace etude

#endif  // ETUDE_PROTO_GRPC_STATUS_H_
