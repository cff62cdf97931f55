// A backup that is made while a sweep trains, restored elsewhere after everything was lost.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/cluster.h"
#include "tests/support/small_sweep.h"

namespace etude {
namespace {

constexpr double kRunSeconds = 240;
const SmallSweep kSweep = {.name = "backup"};

class BackupSystemTest : public testing::Test {
 protected:
  void SetUp() override {
    cluster_.StartCoordinator();
    cluster_.StartWorker("one");
    cluster_.PushCorpus();
    const CommandResult submitted = cluster_.Submit(SpecOf(kSweep), /*wait=*/false);
    ASSERT_EQ(submitted.status, 0) << submitted.err;
    ASSERT_TRUE(Eventually(kRunSeconds, [&] {
      for (const std::string& run : cluster_.RunsOf("backup")) {
        if (cluster_.StateOf(run) == "running" && cluster_.StepOf(run) >= 300) return true;
      }
      return false;
    }));
  }
  std::string backup() const { return cluster_.directory() + "/backup"; }
  std::string state() const { return cluster_.directory() + "/coordinator"; }
  void Backup() {
    const CommandResult done = cluster_.Etude({"db", "backup", backup()});
    ASSERT_EQ(done.status, 0) << done.err;
  }

  Cluster cluster_;
};

// The first `rows` rows of a run's curve, timings left out.
std::string CurveOf(Cluster& cluster, const std::string& run, std::size_t rows) {
  const CommandResult curve = cluster.Etude({"run", "curve", run, "-o", "csv"});
  EXPECT_EQ(curve.status, 0) << curve.err;
  std::istringstream lines(curve.out);
  std::string text;
  std::size_t count = 0;
  for (std::string line; count < rows && std::getline(lines, line);) {
    if (line.find("tokens_per_s") != std::string::npos) continue;
    text += line + "\n";
    ++count;
  }
  return text;
}

TEST_F(BackupSystemTest, ASweepGoesOnElsewhereFromABackupToTheSameLosses) {
  ASSERT_NO_FATAL_FAILURE(Backup());
  const std::string first = cluster_.RunsOf("backup")[0];
  const std::string before = CurveOf(cluster_, first, 250);
  ASSERT_EQ(cluster_.Etude({"db", "verify", backup()}).status, 0);
  // The sweep goes on, to its end, and then all is lost but the worker, who remembers.
  ASSERT_EQ(cluster_.Etude({"sweep", "wait", "backup", "--timeout", "240s"}, kRunSeconds).status,
            0);
  const auto undisturbed = FingerprintsOf(cluster_, "backup");
  cluster_.coordinator().Signal(SIGKILL);
  ASSERT_TRUE(cluster_.coordinator().Wait(10).has_value());
  cluster_.worker("one").Signal(SIGKILL);
  ASSERT_TRUE(cluster_.worker("one").Wait(10).has_value());
  std::filesystem::rename(state(), state() + ".lost");
  const CommandResult restored = cluster_.Etude({"db", "restore", backup(), "--state", state()});
  ASSERT_EQ(restored.status, 0) << restored.err;
  cluster_.StartCoordinator();
  EXPECT_EQ(CurveOf(cluster_, first, 250), before);
  cluster_.StartWorker("one");
  const CommandResult waited =
      cluster_.Etude({"sweep", "wait", "backup", "--timeout", "240s"}, kRunSeconds);
  ASSERT_EQ(waited.status, 0) << waited.err;
  EXPECT_EQ(FingerprintsOf(cluster_, "backup"), undisturbed);
  EXPECT_EQ(cluster_.Etude({"db", "verify"}).status, 0);
}

// The worker trains on while its coordinator is taken back in time.
TEST_F(BackupSystemTest, AWorkerThatWentOnIsSupersededAndTheCurveHasNoGap) {
  ASSERT_NO_FATAL_FAILURE(Backup());
  const std::string first = cluster_.RunsOf("backup")[0];
  const std::int64_t then = cluster_.StepOf(first);
  ASSERT_TRUE(Eventually(kRunSeconds, [&] {
    return cluster_.StepOf(first) >= then + 200 || cluster_.StateOf(first) == "succeeded";
  }));
  cluster_.coordinator().Signal(SIGKILL);
  ASSERT_TRUE(cluster_.coordinator().Wait(10).has_value());
  const CommandResult refused = cluster_.Etude({"db", "restore", backup(), "--state", state()});
  EXPECT_EQ(refused.status, 6) << refused.out;
  EXPECT_NE(refused.err.find("--replace"), std::string::npos) << refused.err;
  const CommandResult restored =
      cluster_.Etude({"db", "restore", backup(), "--state", state(), "--replace"});
  ASSERT_EQ(restored.status, 0) << restored.err;
  EXPECT_NE(restored.out.find(state() + ".before-"), std::string::npos) << restored.out;
  cluster_.StartCoordinator();
  const CommandResult waited =
      cluster_.Etude({"sweep", "wait", "backup", "--timeout", "240s"}, kRunSeconds);
  ASSERT_EQ(waited.status, 0) << waited.err;
  // FingerprintsOf fails where a step is missing or there twice.
  EXPECT_EQ(FingerprintsOf(cluster_, "backup"), Undisturbed(kSweep));
}

TEST_F(BackupSystemTest, AnInterruptedBackupHasNoManifestAndTheSameCommandFinishesIt) {
  const std::unique_ptr<Process> interrupted = cluster_.StartEtude({"db", "backup", backup()});
  Eventually(5, [&] { return std::filesystem::exists(backup() + "/lock"); });
  interrupted->Signal(SIGKILL);
  interrupted->Wait(10);
  const CommandResult early = cluster_.Etude({"db", "verify", backup()});
  EXPECT_TRUE(early.status == 3 || early.status == 0) << early.err;  // it may have been too quick
  ASSERT_NO_FATAL_FAILURE(Backup());
  EXPECT_EQ(cluster_.Etude({"db", "verify", backup()}).status, 0);
  // A second one fetches the database alone, and leaves nothing of the first.
  ASSERT_NO_FATAL_FAILURE(Backup());
  EXPECT_EQ(cluster_.Etude({"db", "verify", backup()}).status, 0);
}

TEST_F(BackupSystemTest, ADamagedStoreDoesNotStartAndSaysHowToRestoreIt) {
  ASSERT_NO_FATAL_FAILURE(Backup());
  cluster_.coordinator().Signal(SIGTERM);
  ASSERT_TRUE(cluster_.coordinator().Wait(20).has_value());
  {
    std::fstream file(state() + "/etude.db", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(8192 * 3 + 4000);
    file.put('?').put('!').put('?');
  }
  const CommandResult refused =
      RunCommand({ProgramPath("etude-coordinator"), "--state", state(), "--listen", "127.0.0.1:0"});
  EXPECT_EQ(refused.status, 9);
  EXPECT_NE(refused.err.find("etude db restore"), std::string::npos) << refused.err;
  ASSERT_EQ(cluster_.Etude({"db", "restore", backup(), "--state", state(), "--replace"}).status, 0);
  cluster_.StartCoordinator();
  EXPECT_EQ(cluster_.RunsOf("backup").size(), 2u);
}

}  // namespace
}  // namespace etude
