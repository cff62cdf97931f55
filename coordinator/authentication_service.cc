#include "coordinator/authentication_service.h"

namespace etude {

absl::StatusOr<CallerId> CheckCaller(const Authentication& authentication,
                                     const grpc::ServerContextBase& context,
                                     std::string_view method) {
  const auto found = context.client_metadata().find("authorization");
  if (found == context.client_metadata().end()) return authentication.Check(method, std::nullopt);
  return authentication.Check(method, std::string_view(found->second.data(), found->second.size()));
}

}  // namespace etude
