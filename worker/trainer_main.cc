// etude-trainer: trains the jobs its agent gives it, one after the other. Not for people.
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/base/status.h"
#include "lib/models/trainer.h"
#include "worker/points_log.h"
#include "worker/trainer_protocol.h"

namespace etude {
namespace {

constexpr int kExitUsage = 2;
constexpr absl::Duration kProgressEvery = absl::Seconds(10);

struct Settings {
  int control_fd = -1;
  pid_t parent = 0;
  int threads = 1;
  Device device = Device::kAuto;
};

// The agent's orders, read by a thread of their own. The process ends when the agent does.
class Orders {
 public:
  explicit Orders(int fd) : fd_(fd), thread_([this] { Read(); }) { thread_.detach(); }

  JobMessage NextJob() {
    MutexLock lock(mutex_);
    while (!job_) changed_.Wait(mutex_);
    return *std::exchange(job_, std::nullopt);
  }
  // Each order once.
  StopRequest TakeStop() {
    MutexLock lock(mutex_);
    const std::optional<StopKind> stop = std::exchange(stop_, std::nullopt);
    if (!stop) return StopRequest::kNone;
    switch (*stop) {
      case StopKind::kCheckpoint:
        return StopRequest::kCheckpoint;
      case StopKind::kRelease:
        return StopRequest::kRelease;
      case StopKind::kCancel:
        return StopRequest::kCancel;
    }
    return StopRequest::kNone;
  }
  void Say(const TrainerMessage& message) {
    const std::string line = Encode(message);
    std::size_t done = 0;
    while (done < line.size()) {
      const ssize_t sent = send(fd_, line.data() + done, line.size() - done, MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) _exit(EXIT_FAILURE);
      done += static_cast<std::size_t>(sent);
    }
  }

 private:
  void Read() {
    LineBuffer lines;
    char bytes[4096];
    for (;;) {
      const ssize_t count = recv(fd_, bytes, sizeof(bytes), 0);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) _exit(EXIT_SUCCESS);  // the agent is gone
      if (!lines.Add({bytes, static_cast<std::size_t>(count)}).ok()) _exit(EXIT_FAILURE);
      while (const std::optional<std::string> line = lines.NextLine()) Take(*line);
    }
  }
  void Take(const std::string& line) {
    const absl::StatusOr<AgentMessage> message = DecodeAgentMessage(line);
    if (!message.ok()) {
      std::fprintf(stderr, "etude-trainer: %s\n", MessageOf(message.status()).c_str());
      _exit(EXIT_FAILURE);
    }
    if (std::holds_alternative<ExitMessage>(*message)) _exit(EXIT_SUCCESS);
    MutexLock lock(mutex_);
    if (const auto* job = std::get_if<JobMessage>(&*message)) {
      job_ = *job;
      stop_.reset();  // an order for the job before
    }
    if (const auto* stop = std::get_if<StopMessage>(&*message)) stop_ = stop->kind;
    changed_.Signal();
  }

  int fd_;
  Mutex mutex_;
  CondVar changed_;
  std::optional<JobMessage> job_ ABSL_GUARDED_BY(mutex_);
  std::optional<StopKind> stop_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

// ATTEMPT_DIR/trainer.log, for people.
class AttemptLog {
 public:
  explicit AttemptLog(const std::string& path) : file_(std::fopen(path.c_str(), "a")) {}
  ~AttemptLog() {
    if (file_ != nullptr) std::fclose(file_);
  }
  AttemptLog(const AttemptLog&) = delete;
  AttemptLog& operator=(const AttemptLog&) = delete;
  void Line(const std::string& text) {
    if (file_ == nullptr) return;
    std::fprintf(file_, "%s %s\n", ToIso8601(SystemClock().Now()).c_str(), text.c_str());
    std::fflush(file_);
  }

 private:
  std::FILE* file_;
};

// Puts what training produces into the log.
class LogListener : public TrainListener {
 public:
  LogListener(PointsLogWriter& points, AttemptLog& log, std::int64_t to)
      : points_(points), log_(log), to_(to) {}

  absl::Status OnPoints(std::span<const LossPoint> points) override {
    for (const LossPoint& point : points) {
      if (point.series != Series::kTrain) continue;
      step_ = point.step;
      loss_ = point.value;
    }
    const absl::Time now = SystemClock().MonotonicNow();
    if (now >= next_line_) {
      next_line_ = now + kProgressEvery;
      log_.Line("step " + std::to_string(step_) + " of " + std::to_string(to_) + ": train loss " +
                std::to_string(loss_) + " nats/token");
    }
    return points_.Append(points);
  }
  absl::Status OnCheckpoint(const WrittenCheckpoint& written) override {
    log_.Line("checkpoint: " + std::string(CheckpointKindName(written.kind)) + " of step " +
              std::to_string(written.step));
    return points_.Append(CheckpointRecord{
        .kind = written.kind, .step = written.step, .dir = written.dir, .files = written.files});
  }

 private:
  PointsLogWriter& points_;
  AttemptLog& log_;
  std::int64_t to_;
  std::int64_t step_ = 0;
  double loss_ = 0;
  absl::Time next_line_ = absl::InfinitePast();
};

absl::StatusOr<TrainRequest> RequestOf(const JobMessage& job, Device device) {
  ASSIGN_OR_RETURN(const RunConfig config, RunConfigFromJson(job.config_json));
  return TrainRequest{.config = config,
                      .to = job.to,
                      .corpus_dir = job.corpus_dir,
                      .attempt_dir = job.attempt_dir,
                      .resume_dir = job.resume_dir,
                      .start_step = job.start_step,
                      .device = device,
                      .checkpoint_every = job.checkpoint_every,
                      .branch_steps = job.branch_steps};
}

DoneRecord RecordOf(const TrainReport& report) {
  DoneRecord record{.outcome = report.outcome,
                    .reason = report.reason,
                    .step = report.step,
                    .result = std::nullopt};
  if (report.outcome == JobOutcome::kSucceeded) record.result = report.result;
  return record;
}

// How the job ended, once its log says so; an error if it could not go on or could not be logged.
absl::StatusOr<JobOutcome> RunJob(const JobMessage& job, Device device, Orders& orders) {
  AttemptLog log(job.attempt_dir + "/" + kTrainerLogFile);
  log.Line("started: job " + job.job.text() + " attempt " + std::to_string(job.attempt) +
           " from step " + std::to_string(job.start_step) + " to " + std::to_string(job.to));
  log.Line("config: " + job.config_json);
  ASSIGN_OR_RETURN(PointsLogWriter points,
                   PointsLogWriter::Open(job.attempt_dir + "/" + kPointsLogFile, SystemClock()));
  absl::StatusOr<TrainRequest> request = RequestOf(job, device);
  TrainReport report{.outcome = JobOutcome::kBadInput,
                     .reason = MessageOf(request.status()),
                     .step = job.start_step,
                     .result = {}};
  if (request.ok()) {
    const std::string numerics = NumericsOf(request->config.threads, device);
    log.Line("numerics: " + numerics);
    RETURN_IF_ERROR(points.Append(NumericsRecord{numerics}));
    LogListener listener(points, log, job.to);
    absl::StatusOr<TrainReport> trained = Train(
        *request, listener, [&] { return orders.TakeStop(); }, SystemClock());
    if (!trained.ok()) log.Line("error: " + trained.status().ToString());
    ASSIGN_OR_RETURN(report, std::move(trained));
  }
  log.Line("ended at step " + std::to_string(report.step) + ": " +
           std::string(JobOutcomeName(report.outcome)) +
           (report.reason.empty() ? "" : ": " + report.reason));
  RETURN_IF_ERROR(points.Append(RecordOf(report)));
  return report.outcome;
}

[[noreturn]] void Serve(const Settings& settings) {
  Orders& orders = *new Orders(settings.control_fd);  // its thread runs to the end of the process
  const std::string numerics = NumericsOf(settings.threads, settings.device);
  const bool cuda = numerics.find("\"device\":\"cuda") != std::string::npos;
  orders.Say(ReadyMessage{
      .protocol = kTrainerProtocol, .device = cuda ? "cuda" : "cpu", .numerics = numerics});
  for (;;) {
    const JobMessage job = orders.NextJob();
    const absl::StatusOr<JobOutcome> outcome = RunJob(job, settings.device, orders);
    DoneMessage done;
    done.job = job.job;
    done.attempt = job.attempt;
    if (outcome.ok()) {
      done.outcome = *outcome;
    } else {
      done.code = outcome.status().code();
      done.error = MessageOf(outcome.status()).substr(0, 2000);
    }
    orders.Say(done);
  }
}

int Usage(const char* problem) {
  std::fprintf(stderr,
               "etude-trainer: %s\n"
               "It is started by etude-worker. To train from the command line: etude train -h\n",
               problem);
  return kExitUsage;
}

std::optional<Device> DeviceFrom(std::string_view name) {
  if (name == "auto") return Device::kAuto;
  if (name == "cpu") return Device::kCpu;
  if (name == "cuda") return Device::kCuda;
  return std::nullopt;
}

int Main(int argc, char** argv) {
  Settings settings;
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    std::printf("etude-trainer %s\n", ETUDE_VERSION);
    return EXIT_SUCCESS;
  }
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view flag = argv[i];
    if (flag == "--control-fd") settings.control_fd = std::atoi(argv[i + 1]);
    if (flag == "--parent-pid") settings.parent = std::atoi(argv[i + 1]);
    if (flag == "--threads") settings.threads = std::max(1, std::atoi(argv[i + 1]));
    if (flag == "--device") {
      const std::optional<Device> device = DeviceFrom(argv[i + 1]);
      if (!device) return Usage("--device is one of auto, cpu, cuda");
      settings.device = *device;
    }
  }
  if (settings.control_fd < 0) return Usage("--control-fd is missing");
  // Dies with its agent, also when that went before this line.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (settings.parent != 0 && getppid() != settings.parent) return EXIT_FAILURE;
  Serve(settings);
}

}  // namespace
}  // namespace etude

int main(int argc, char** argv) { return etude::Main(argc, argv); }
