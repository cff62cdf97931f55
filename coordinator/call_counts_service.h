// Counts the server's calls as they end, of whatever service.
#ifndef ETUDE_COORDINATOR_CALL_COUNTS_SERVICE_H_
#define ETUDE_COORDINATOR_CALL_COUNTS_SERVICE_H_

#include <grpcpp/server_builder.h>

#include "coordinator/call_counts.h"

namespace etude {

// `counts` must outlive the server.
void CountCalls(grpc::ServerBuilder& builder, CallCounts& counts);

}  // namespace etude

#endif  // ETUDE_COORDINATOR_CALL_COUNTS_SERVICE_H_
