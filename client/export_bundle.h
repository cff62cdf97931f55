// A sweep as a bundle, which etude import takes.
#ifndef ETUDE_CLIENT_EXPORT_BUNDLE_H_
#define ETUDE_CLIENT_EXPORT_BUNDLE_H_

#include <string>

#include "absl/status/statusor.h"
#include "client/command.h"

namespace etude {

absl::StatusOr<ExitCode> ExportBundle(Session& session, const std::string& sweep,
                                      const std::string& dir);

}  // namespace etude

#endif  // ETUDE_CLIENT_EXPORT_BUNDLE_H_
