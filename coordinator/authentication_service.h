// The check that every handler makes first.
#ifndef ETUDE_COORDINATOR_AUTHENTICATION_SERVICE_H_
#define ETUDE_COORDINATOR_AUTHENTICATION_SERVICE_H_

#include <grpcpp/impl/codegen/server_context.h>

#include "absl/status/statusor.h"
#include "coordinator/authentication.h"

namespace etude {

// Authentication::Check with the metadata of `context`. `method` is the call's full name.
absl::StatusOr<CallerId> CheckCaller(const Authentication& authentication,
                                     const grpc::ServerContextBase& context,
                                     std::string_view method);

}  // namespace etude

#endif  // ETUDE_COORDINATOR_AUTHENTICATION_SERVICE_H_
