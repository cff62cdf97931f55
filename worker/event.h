// Everything that can happen to the agent.
#ifndef ETUDE_WORKER_EVENT_H_
#define ETUDE_WORKER_EVENT_H_

#include <cstdint>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/spawner.h"
#include "worker/trainer_exit.h"
#include "worker/trainer_protocol.h"
#include "worker/transport.h"

namespace etude {

// Answers of the transport.
struct RegisterAnswered {
  CallId call = 0;
  absl::StatusOr<Transport::Registration> answer;
};
struct HeartbeatAnswered {
  CallId call = 0;
  absl::StatusOr<Transport::HeartbeatAnswer> answer;
};
struct AcquireAnswered {
  CallId call = 0;
  int slot = 0;
  absl::StatusOr<Transport::Acquisition> answer;
};
struct ReportAcknowledged {
  CallId stream = 0;
  std::uint64_t committed_through = 0;    // every sequence up to this is durable or refused
  std::vector<std::uint64_t> superseded;  // sequences refused: their attempt is over
};
struct ReportClosed {
  CallId stream = 0;
  absl::Status status;
};
struct CheckpointCommitted {
  CallId call = 0;
  absl::Status status;
};
struct FinishAnswered {
  CallId call = 0;
  absl::Status status;
};
struct LogShipped {
  CallId call = 0;
  absl::StatusOr<std::int64_t> next_offset;
};
struct Uploaded {
  CallId call = 0;
  absl::StatusOr<ArtifactFile> file;
};
struct Downloaded {
  CallId call = 0;
  absl::Status status;
};

// From the spawner.
struct TrainerSaid {
  TrainerId trainer = 0;
  TrainerMessage message;
};
struct TrainerExited {
  TrainerId trainer = 0;
  TrainerExit exit;
};

// Somebody wants this process to end: release what is held, then be done.
struct StopAsked {};

using Event = std::variant<RegisterAnswered, HeartbeatAnswered, AcquireAnswered, ReportAcknowledged,
                           ReportClosed, CheckpointCommitted, FinishAnswered, LogShipped, Uploaded,
                           Downloaded, TrainerSaid, TrainerExited, StopAsked>;

}  // namespace etude

#endif  // ETUDE_WORKER_EVENT_H_
