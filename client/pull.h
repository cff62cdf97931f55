// Bringing files of runs here: checkpoints and logs.
#ifndef ETUDE_CLIENT_PULL_H_
#define ETUDE_CLIENT_PULL_H_

#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/command.h"
#include "client/coordinator_client.h"
#include "lib/scaling/job.h"

namespace etude {

// kDataLoss unless every name is one safe path component and none comes twice: names come from
// outside and become files here.
absl::Status CheckPulledFiles(std::span<const ArtifactFile> files);

// The newest checkpoint of `kind`. kNotFound: says what the run has instead.
absl::StatusOr<Checkpoint> ChooseCheckpoint(const RunView& view, CheckpointKind kind);

// Downloads `files` into `dir`, made if absent. A file that is there with the same bytes stays;
// kAlreadyExists: one is there with others, and nothing was downloaded.
absl::Status PullFiles(Session& session, CoordinatorClient& client,
                       std::span<const ArtifactFile> files, const std::string& dir);

// The log files of an attempt: names that end in .log.
std::vector<ArtifactFile> LogsOf(const AttemptView& attempt);

}  // namespace etude

#endif  // ETUDE_CLIENT_PULL_H_
