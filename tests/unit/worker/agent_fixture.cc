#include "tests/unit/worker/agent_fixture.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/base/status.h"

namespace etude {
namespace {

const absl::Status& Away() {
  static const auto& status = *new absl::Status(Unavailable("no connection"));
  return status;
}

std::pair<std::string, int> Key(const JobId& job, int attempt) { return {job.text(), attempt}; }

}  // namespace

// The coordinator.

std::vector<Transport::Directive> FakeCoordinator::DirectivesFor(
    const std::vector<Held>& held) const {
  std::vector<Directive> directives;
  for (const Held& item : held) {
    const auto key = Key(item.job, item.attempt);
    const auto order = orders.find(key);
    Action action = order == orders.end() ? Action::kKeep : order->second;
    if (over_.contains(key)) action = Action::kSuperseded;
    directives.push_back({item.job, item.attempt, action});
  }
  return directives;
}

void FakeCoordinator::Register(CallId call, const Worker&, const std::vector<Held>& held) {
  if (away) return events_.push_back(RegisterAnswered{call, Away()});
  ++registrations;
  knows_worker = true;
  last_held = held;
  events_.push_back(RegisterAnswered{
      call, Registration{absl::Seconds(2), absl::Seconds(7), DirectivesFor(held)}});
}

void FakeCoordinator::Heartbeat(CallId call, const WorkerId&, const std::vector<Held>& held, bool) {
  ++heartbeats;
  if (away) return events_.push_back(HeartbeatAnswered{call, Away()});
  if (!knows_worker) return events_.push_back(HeartbeatAnswered{call, NotFound("register again")});
  last_held = held;
  events_.push_back(HeartbeatAnswered{call, HeartbeatAnswer{DirectivesFor(held), drains}});
}

void FakeCoordinator::Acquire(CallId call, const WorkerId&, int slot, absl::Duration) {
  if (away) return events_.push_back(AcquireAnswered{call, slot, Away()});
  polls_.emplace_back(call, slot);
  Lease();
}

void FakeCoordinator::Lease() {
  while (!polls_.empty() && !queue.empty()) {
    const auto [call, slot] = polls_.front();
    events_.push_back(AcquireAnswered{call, slot, Acquisition{queue.front(), ""}});
    polls_.pop_front();
    queue.pop_front();
  }
}

void FakeCoordinator::EndPolls() {
  for (const auto& [call, slot] : polls_) {
    events_.push_back(AcquireAnswered{call, slot, Acquisition{std::nullopt, "no job"}});
  }
  polls_.clear();
}

void FakeCoordinator::StopAcquiring() {
  for (const auto& [call, slot] : polls_) {
    events_.push_back(AcquireAnswered{call, slot, Cancelled("stopped")});
  }
  polls_.clear();
}

void FakeCoordinator::Report(CallId stream, const PointsBatch& batch) {
  if (stream != stream_) return;
  if (away) return BreakStream();
  ++batches;
  ReportAcknowledged ack{stream, batch.sequence, {}};
  const auto key = Key(batch.job, batch.attempt);
  if (over_.contains(key)) {
    ack.superseded.push_back(batch.sequence);
  } else {
    for (const LossPoint& point : batch.points) {
      if (point.series == Series::kTrain) train_points[key][point.step] = point.value;
    }
  }
  held_acknowledgements_.push_back(std::move(ack));
  if (!holds_acknowledgements) ReleaseAcknowledgements();
}

void FakeCoordinator::ReleaseAcknowledgements() {
  for (ReportAcknowledged& ack : held_acknowledgements_) events_.push_back(std::move(ack));
  held_acknowledgements_.clear();
}

void FakeCoordinator::BreakStream() {
  held_acknowledgements_.clear();
  if (stream_ != 0) events_.push_back(ReportClosed{stream_, Away()});
  stream_ = 0;
}

void FakeCoordinator::CloseReport(CallId stream) {
  if (stream == stream_) BreakStream();
}

void FakeCoordinator::CommitCheckpoint(CallId call, const WorkerId&, const Checkpoint& checkpoint) {
  if (away) return events_.push_back(CheckpointCommitted{call, Away()});
  const auto& points = train_points[Key(checkpoint.job, checkpoint.attempt)];
  const bool complete = !points.empty() && points.rbegin()->first >= checkpoint.step;
  for (const ArtifactFile& file : checkpoint.files) EXPECT_TRUE(blobs.contains(file.sha256));
  if (checkpoint.kind == CheckpointKind::kResume) {
    EXPECT_TRUE(complete) << "committed before its points: step " << checkpoint.step;
  }
  committed.push_back(checkpoint);
  journal.push_back("commit " + std::string(CheckpointKindName(checkpoint.kind)) + " " +
                    std::to_string(checkpoint.step));
  events_.push_back(CheckpointCommitted{call, absl::OkStatus()});
}

void FakeCoordinator::Finish(CallId call, const WorkerId&, const Ending& ending) {
  if (away) return events_.push_back(FinishAnswered{call, Away()});
  endings.push_back(ending);
  over_.insert(Key(ending.job, ending.attempt));
  journal.push_back("finish " + std::string(JobOutcomeName(ending.outcome)));
  events_.push_back(FinishAnswered{call, absl::OkStatus()});
}

void FakeCoordinator::ShipLog(CallId call, const WorkerId&, const LogText& text) {
  ++log_calls;
  if (away) return events_.push_back(LogShipped{call, Away()});
  if (!log_answer.ok()) return events_.push_back(LogShipped{call, log_answer});
  std::string& log = logs[Key(text.job, text.attempt)];
  const auto offset = static_cast<std::size_t>(text.offset);
  if (offset > log.size()) log.resize(offset, '~');
  log.replace(offset, std::string::npos, text.text);
  longest_log_text = std::max(longest_log_text, text.text.size());
  events_.push_back(LogShipped{call, static_cast<std::int64_t>(log.size())});
}

void FakeCoordinator::Upload(CallId call, const std::string& path) {
  if (away) return events_.push_back(Uploaded{call, Away()});
  const absl::StatusOr<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return events_.push_back(Uploaded{call, bytes.status()});
  const std::string hash = Sha256Hex(*bytes);
  blobs[hash] = *bytes;
  events_.push_back(Uploaded{call, ArtifactFile{std::filesystem::path(path).filename(), hash,
                                                static_cast<std::int64_t>(bytes->size())}});
}

void FakeCoordinator::Download(CallId call, const ArtifactFile& file, const std::string& path) {
  if (away) return events_.push_back(Downloaded{call, Away()});
  const auto blob = blobs.find(file.sha256);
  if (blob == blobs.end()) return events_.push_back(Downloaded{call, NotFound("no such blob")});
  events_.push_back(Downloaded{call, WriteFileAtomically(path, blob->second)});
}

// The trainers.

absl::StatusOr<TrainerId> FakeSpawner::Spawn(int) {
  alive_ = static_cast<TrainerId>(++spawned_);
  if (starts) {
    events_.push_back(TrainerSaid{alive_, ReadyMessage{kTrainerProtocol, "cpu", "{}"}});
  } else {
    events_.push_back(TrainerExited{alive_, {.code = 127}});
  }
  return alive_;
}

absl::Status FakeSpawner::Send(TrainerId trainer, const AgentMessage& message) {
  EXPECT_EQ(trainer, alive_);
  if (const auto* job = std::get_if<JobMessage>(&message)) {
    training_ = std::make_unique<FakeTraining>(*job, clock_);
  }
  if (const auto* stop = std::get_if<StopMessage>(&message)) Stop(stop->kind);
  return absl::OkStatus();
}

void FakeSpawner::Stop(StopKind kind) {
  if (ignores_stops || training_ == nullptr) return;
  if (kind != StopKind::kCancel) training_->Checkpoint(CheckpointKind::kResume);
  if (kind == StopKind::kCheckpoint) return;
  const bool cancel = kind == StopKind::kCancel;
  training_->End(cancel ? JobOutcome::kCancelled : JobOutcome::kReleased, "told to");
  const JobMessage job = training_->job();
  SayDone({job.job, job.attempt, JobOutcome::kReleased, absl::StatusCode::kOk, ""});
}

void FakeSpawner::Kill(TrainerId trainer) {
  if (trainer == alive_) Die({.signal = 9});
}

void FakeSpawner::Complete() {
  const JobMessage job = training_->job();
  training_->TrainTo(job.to);
  training_->Succeed();
  SayDone({job.job, job.attempt, JobOutcome::kSucceeded, absl::StatusCode::kOk, ""});
}

void FakeSpawner::Die(const TrainerExit& exit) {
  training_.reset();
  events_.push_back(TrainerExited{alive_, exit});
  alive_ = 0;
}

void FakeSpawner::SayDone(const DoneMessage& done) {
  training_.reset();
  events_.push_back(TrainerSaid{alive_, done});
}

// The fixture.

AgentFixture::AgentFixture() {
  StartLog("agent_test", LogLevel::kError);
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  state_ = testing::TempDir() + "agent_test." + std::to_string(getpid()) + "." + test.name();
  std::filesystem::remove_all(state_);
  EXPECT_TRUE(MakeDirectories(state_).ok());
  options_.state_dir = state_;
  options_.endpoint = "127.0.0.1:7433";
  options_.worker.id = WorkerId("w-1");
  options_.worker.slots = 1;
}

AgentFixture::~AgentFixture() { std::filesystem::remove_all(state_); }

void AgentFixture::StartAgent() {
  spawner_ = std::make_unique<FakeSpawner>(events_, clock_);
  agent_ = std::make_unique<Agent>(options_, coordinator_, *spawner_, clock_.MonotonicNow());
  Settle();
}

void AgentFixture::KillAgent() {
  agent_.reset();
  spawner_.reset();
  coordinator_.BreakStream();
  coordinator_.StopAcquiring();
  events_.clear();
}

void AgentFixture::Settle() {
  agent_->Tick(clock_.MonotonicNow());
  for (int i = 0; i < 10'000 && !events_.empty(); ++i) {
    const Event event = std::move(events_.front());
    events_.pop_front();
    agent_->Handle(event, clock_.MonotonicNow());
  }
  ASSERT_TRUE(events_.empty()) << "the agent never comes to rest";
}

void AgentFixture::Pass(absl::Duration duration) {
  for (absl::Duration passed; passed < duration && !agent_->done();) {
    clock_.Advance(kTailEvery);
    passed += kTailEvery;
    Settle();
  }
}

Transport::Assignment AgentFixture::MakeAssignment(int attempt, std::int64_t to) {
  Transport::Assignment assignment;
  assignment.job = JobId(kJob);
  assignment.attempt = attempt;
  assignment.run = RunKey("run");
  assignment.to = to;
  assignment.corpus.id = CorpusId("corpus");
  for (const char* name : {"train.npy", "corpus.json"}) {
    const std::string bytes = std::string("bytes of ") + name;
    coordinator_.blobs[Sha256Hex(bytes)] = bytes;
    assignment.corpus.files.push_back(
        {name, Sha256Hex(bytes), static_cast<std::int64_t>(bytes.size())});
  }
  return assignment;
}

void AgentFixture::StartTraining(std::int64_t to) {
  coordinator_.queue.push_back(MakeAssignment(1, to));
  StartAgent();
  ASSERT_TRUE(spawner_->training());
}

std::string AgentFixture::AttemptPath(int attempt) const {
  return state_ + "/attempts/" + kJob + "/" + std::to_string(attempt);
}

const Transport::Ending& AgentFixture::LastEnding() {
  if (!coordinator_.endings.empty()) return coordinator_.endings.back();
  ADD_FAILURE() << "no attempt has ended";
  static const auto& none = *new Transport::Ending;
  return none;
}

bool AgentFixture::HasCurve(int first_attempt, int last_attempt, std::int64_t to) {
  std::map<std::int64_t, double> curve;
  for (int attempt = first_attempt; attempt <= last_attempt; ++attempt) {
    for (const auto& [step, value] : coordinator_.train_points[{kJob, attempt}]) {
      curve[step] = value;
    }
  }
  if (static_cast<std::int64_t>(curve.size()) != to) return false;
  return std::all_of(curve.begin(), curve.end(), [&](const auto& point) {
    return point.first >= 1 && point.first <= to && point.second == FakeLoss(point.first);
  });
}

}  // namespace etude
