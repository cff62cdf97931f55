// A program that takes orders like etude-trainer and trains like FakeTraining.
//   --behave well           (default) checkpoints every 10 steps, stops when told
//   --behave deaf           says ready and then reads nothing
//   --behave stillborn      exits with code 3 before it is ready
//   --behave abort|kill     ends in the middle of a job, by abort() or by SIGKILL
//   --behave babble         says what is no message
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "tests/support/fake_trainer.h"
#include "worker/trainer_protocol.h"

namespace etude {
namespace {

constexpr int kStillbornCode = 3;
constexpr std::int64_t kCheckpointSteps = 10;

std::string ValueOf(int argc, char** argv, const std::string& flag, const std::string& otherwise) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (flag == argv[i]) return argv[i + 1];
  }
  return otherwise;
}

// Blocks until there is an order, or only looks.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  void Say(const std::string& line) {
    if (send(fd_, line.data(), line.size(), MSG_NOSIGNAL) < 0) _exit(EXIT_FAILURE);
  }
  std::optional<AgentMessage> Hear(bool wait) {
    for (;;) {
      if (const std::optional<std::string> line = lines_.NextLine()) {
        const absl::StatusOr<AgentMessage> message = DecodeAgentMessage(*line);
        if (!message.ok()) _exit(EXIT_FAILURE);
        return *message;
      }
      char bytes[4096];
      const ssize_t count = recv(fd_, bytes, sizeof(bytes), wait ? 0 : MSG_DONTWAIT);
      if (count == 0) _exit(EXIT_SUCCESS);
      if (count < 0) return std::nullopt;
      if (!lines_.Add({bytes, static_cast<std::size_t>(count)}).ok()) _exit(EXIT_FAILURE);
    }
  }

 private:
  int fd_;
  LineBuffer lines_;
};

JobOutcome Train(const JobMessage& job, const std::string& behave, Socket& socket) {
  FakeTraining training(job, SystemClock());
  std::fprintf(stderr, "fake trainer: %s\n", job.job.text().c_str());
  while (!training.complete()) {
    training.TrainTo(training.step() + 1);
    if (training.step() % kCheckpointSteps == 0) training.Checkpoint(CheckpointKind::kResume);
    if (behave == "abort") std::abort();
    if (behave == "kill") raise(SIGKILL);
    const std::optional<AgentMessage> order = socket.Hear(/*wait=*/false);
    const auto* stop = order ? std::get_if<StopMessage>(&*order) : nullptr;
    if (stop == nullptr) continue;
    if (stop->kind != StopKind::kCancel) training.Checkpoint(CheckpointKind::kResume);
    if (stop->kind == StopKind::kCheckpoint) continue;
    const JobOutcome outcome =
        stop->kind == StopKind::kCancel ? JobOutcome::kCancelled : JobOutcome::kReleased;
    training.End(outcome, "told to");
    return outcome;
  }
  training.Succeed();
  return JobOutcome::kSucceeded;
}

int Main(int argc, char** argv) {
  const std::string behave = ValueOf(argc, argv, "--behave", "well");
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != std::atoi(ValueOf(argc, argv, "--parent-pid", "0").c_str())) return EXIT_FAILURE;
  if (behave == "stillborn") return kStillbornCode;
  Socket socket(std::atoi(ValueOf(argc, argv, "--control-fd", "-1").c_str()));
  if (behave == "babble") socket.Say("hello\n");
  socket.Say(Encode(TrainerMessage(ReadyMessage{kTrainerProtocol, "cpu", "{}"})));
  if (behave == "deaf") pause();
  for (;;) {
    const std::optional<AgentMessage> order = socket.Hear(/*wait=*/true);
    if (!order || std::holds_alternative<ExitMessage>(*order)) return EXIT_SUCCESS;
    const auto* job = std::get_if<JobMessage>(&*order);
    if (job == nullptr) continue;
    const JobOutcome outcome = Train(*job, behave, socket);
    socket.Say(Encode(
        TrainerMessage(DoneMessage{job->job, job->attempt, outcome, absl::StatusCode::kOk, ""})));
  }
}

}  // namespace
}  // namespace etude

int main(int argc, char** argv) { return etude::Main(argc, argv); }
