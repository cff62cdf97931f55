// The words between the agent and its trainer: one JSON object a line, on a socket pair that the
// trainer inherits. What training produces goes to points.log instead.
//
// Agent to trainer: job (one at a time), stop (what the running job should do), exit.
// Trainer to agent: ready (once, first), done (once for each job, after its log is complete).
#ifndef ETUDE_WORKER_TRAINER_PROTOCOL_H_
#define ETUDE_WORKER_TRAINER_PROTOCOL_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/scaling/ids.h"
#include "lib/scaling/job.h"

namespace etude {

inline constexpr int kTrainerProtocol = 2;
inline constexpr std::size_t kMaxTrainerMessageBytes = 64 << 10;
inline constexpr char kPointsLogFile[] = "points.log";
inline constexpr char kTrainerLogFile[] = "trainer.log";

struct JobMessage {
  JobId job;
  int attempt = 0;
  std::string config_json;  // RunConfigToJson
  std::int64_t to = 0;
  std::string corpus_dir;
  std::string attempt_dir;
  std::string resume_dir;  // empty: fresh weights
  std::int64_t start_step = 0;
  absl::Duration checkpoint_every = absl::Seconds(30);
  std::vector<std::int64_t> branch_steps =
      {};  // ascending; a branch checkpoint is written after each
  friend bool operator==(const JobMessage&, const JobMessage&) = default;
};
// checkpoint: write a resume checkpoint and go on; release: write one and end; cancel: end.
enum class StopKind { kCheckpoint, kRelease, kCancel };
struct StopMessage {
  StopKind kind = StopKind::kRelease;
  friend bool operator==(const StopMessage&, const StopMessage&) = default;
};
struct ExitMessage {
  friend bool operator==(const ExitMessage&, const ExitMessage&) = default;
};
using AgentMessage = std::variant<JobMessage, StopMessage, ExitMessage>;

struct ReadyMessage {
  int protocol = kTrainerProtocol;
  std::string device;    // "cpu" or "cuda"
  std::string numerics;  // JSON
  friend bool operator==(const ReadyMessage&, const ReadyMessage&) = default;
};
// `error` is empty when the log's last record says how the job ended; else it says why the trainer
// could not go on or could not say so there, and `code` is its status code.
struct DoneMessage {
  JobId job;
  int attempt = 0;
  std::optional<JobOutcome> outcome;
  absl::StatusCode code = absl::StatusCode::kOk;
  std::string error;
  friend bool operator==(const DoneMessage&, const DoneMessage&) = default;
};
using TrainerMessage = std::variant<ReadyMessage, DoneMessage>;

// One line, with its end. Text that is not UTF-8 is mended.
std::string Encode(const AgentMessage& message);
std::string Encode(const TrainerMessage& message);

// Of one line without its end. kInvalidArgument: not such a message, or a key missing or unknown.
absl::StatusOr<AgentMessage> DecodeAgentMessage(std::string_view line);
absl::StatusOr<TrainerMessage> DecodeTrainerMessage(std::string_view line);

// Cuts what a socket delivers into lines.
class LineBuffer {
 public:
  // kInvalidArgument: a line grew beyond kMaxTrainerMessageBytes; drop the connection.
  absl::Status Add(std::string_view bytes);
  std::optional<std::string> NextLine();

 private:
  std::string bytes_;
};

}  // namespace etude

#endif  // ETUDE_WORKER_TRAINER_PROTOCOL_H_
