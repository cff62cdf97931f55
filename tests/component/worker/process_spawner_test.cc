// Real processes, with a fake trainer.
#include "worker/process_spawner.h"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "lib/base/file.h"
#include "worker/points_log.h"

namespace etude {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

class ProcessSpawnerTest : public testing::Test {
 protected:
  ProcessSpawnerTest()
      : dir_(testing::TempDir() + "process_spawner_test." + std::to_string(getpid())) {
    std::filesystem::remove_all(dir_);
    EXPECT_TRUE(MakeDirectories(dir_ + "/attempt").ok());
  }
  ~ProcessSpawnerTest() override { std::filesystem::remove_all(dir_); }

  TrainerId Spawn(const std::string& behave) {
    spawner_ = std::make_unique<ProcessSpawner>(
        ProcessSpawnerOptions{FAKE_TRAINER, {"--behave", behave}, dir_}, events_);
    const absl::StatusOr<TrainerId> trainer = spawner_->Spawn(0);
    EXPECT_TRUE(trainer.ok()) << trainer.status();
    return *trainer;
  }
  // The next event, which must be of this kind.
  template <typename Kind>
  Kind Next() {
    const std::optional<Event> event = events_.Pop(kPatience);
    if (!event || !std::holds_alternative<Kind>(*event)) {
      ADD_FAILURE() << "another event, or none";
      return {};
    }
    return std::get<Kind>(*event);
  }
  JobMessage Job(std::int64_t to) const {
    return {.job = JobId("run.0"),
            .attempt = 1,
            .config_json = "{}",
            .to = to,
            .corpus_dir = dir_,
            .attempt_dir = dir_ + "/attempt",
            .resume_dir = "",
            .start_step = 0};
  }
  void StartJob(TrainerId trainer, std::int64_t to) {
    EXPECT_TRUE(std::holds_alternative<ReadyMessage>(Next<TrainerSaid>().message));
    EXPECT_TRUE(spawner_->Send(trainer, Job(to)).ok());
  }

  std::string dir_;
  EventQueue events_;
  std::unique_ptr<ProcessSpawner> spawner_;
};

TEST_F(ProcessSpawnerTest, ATrainerTrainsJobAfterJobAndExitsWhenTold) {
  const TrainerId trainer = Spawn("well");
  StartJob(trainer, 25);
  for (int i = 0; i < 2; ++i) {
    const TrainerSaid said = Next<TrainerSaid>();
    EXPECT_EQ(std::get<DoneMessage>(said.message).outcome, JobOutcome::kSucceeded);
    if (i == 0) {
      std::filesystem::remove_all(dir_ + "/attempt");
      ASSERT_TRUE(MakeDirectories(dir_ + "/attempt").ok());
      EXPECT_TRUE(spawner_->Send(trainer, Job(25)).ok());
    }
  }
  EXPECT_TRUE(spawner_->Send(trainer, ExitMessage{}).ok());
  const TrainerExited exited = Next<TrainerExited>();
  EXPECT_EQ(exited.exit.signal, 0);
  EXPECT_EQ(exited.exit.code, 0);
}

TEST_F(ProcessSpawnerTest, AReleaseStopsAJobAndLeavesACheckpoint) {
  const TrainerId trainer = Spawn("well");
  StartJob(trainer, 1'000'000'000);
  EXPECT_TRUE(spawner_->Send(trainer, StopMessage{StopKind::kRelease}).ok());
  EXPECT_EQ(std::get<DoneMessage>(Next<TrainerSaid>().message).outcome, JobOutcome::kReleased);
  PointsLogReader log(dir_ + "/attempt/points.log");
  std::optional<LogRecord> last;
  for (auto record = log.Next(); record.ok() && *record; record = log.Next()) last = **record;
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(std::get<DoneRecord>(*last).outcome, JobOutcome::kReleased);
}

TEST_F(ProcessSpawnerTest, ADeafTrainerCanBeKilled) {
  const TrainerId trainer = Spawn("deaf");
  Next<TrainerSaid>();
  spawner_->Kill(trainer);
  EXPECT_EQ(Next<TrainerExited>().exit.signal, SIGKILL);
  EXPECT_FALSE(spawner_->Send(trainer, ExitMessage{}).ok());
}

TEST_F(ProcessSpawnerTest, ACrashInAJobTellsItsSignal) {
  StartJob(Spawn("abort"), 25);
  EXPECT_EQ(Next<TrainerExited>().exit.signal, SIGABRT);
}

TEST_F(ProcessSpawnerTest, AKillInAJobIsNotTakenForOutOfMemory) {
  StartJob(Spawn("kill"), 25);
  const TrainerExit exit = Next<TrainerExited>().exit;
  EXPECT_EQ(exit.signal, SIGKILL);
  EXPECT_FALSE(exit.out_of_memory);
}

TEST_F(ProcessSpawnerTest, ATrainerThatDoesNotStartTellsItsCode) {
  Spawn("stillborn");
  EXPECT_EQ(Next<TrainerExited>().exit.code, 3);
}

TEST_F(ProcessSpawnerTest, ATrainerThatBabblesIsKilled) {
  Spawn("babble");
  EXPECT_EQ(Next<TrainerExited>().exit.signal, SIGKILL);
}

TEST_F(ProcessSpawnerTest, ItsErrorsGoToTheSlotsLog) {
  const TrainerId trainer = Spawn("well");
  StartJob(trainer, 25);
  Next<TrainerSaid>();
  EXPECT_NE(ReadFile(dir_ + "/slot-0.log")->find("fake trainer: run.0"), std::string::npos);
}

TEST_F(ProcessSpawnerTest, NoTrainerOutlivesTheSpawner) {
  const TrainerId trainer = Spawn("deaf");
  Next<TrainerSaid>();
  const pid_t pid = spawner_->PidOf(trainer);
  ASSERT_GT(pid, 0);
  spawner_.reset();
  EXPECT_EQ(kill(pid, 0), -1);
}

TEST_F(ProcessSpawnerTest, AMissingProgramIsNotFound) {
  ProcessSpawner spawner({"/nowhere/etude-trainer", {}, dir_}, events_);
  EXPECT_EQ(spawner.Spawn(0).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace etude
