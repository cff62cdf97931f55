#include "client/pull.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/client/builders.h"

namespace etude {
namespace {

ArtifactFile Named(const std::string& name) { return {name, std::string(64, '0'), 1}; }

TEST(PullTest, AHostileNameIsRefused) {
  for (const char* name : {"../x", "/etc/passwd", "a/b", "..", ".", "", "x\n", "a\\b"}) {
    const std::vector<ArtifactFile> files = {Named("model.safetensors"), Named(name)};
    EXPECT_EQ(CheckPulledFiles(files).code(), absl::StatusCode::kDataLoss) << name;
  }
}

TEST(PullTest, OneNameTwiceIsRefused) {
  const std::vector<ArtifactFile> files = {Named("a"), Named("a")};
  EXPECT_FALSE(CheckPulledFiles(files).ok());
}

TEST(PullTest, OrdinaryNamesAreFine) {
  const std::vector<ArtifactFile> files = {Named("model.safetensors"), Named("config.json")};
  EXPECT_TRUE(CheckPulledFiles(files).ok());
}

TEST(PullTest, TheNewestCheckpointOfTheKindIsChosen) {
  RunView view;
  view.progress = MakeRun();
  view.checkpoints = {{JobId("j"), 1, CheckpointKind::kResume, 90, {}},
                      {JobId("j"), 1, CheckpointKind::kLast, 50, {}},
                      {JobId("j"), 2, CheckpointKind::kLast, 60, {}}};
  EXPECT_EQ(ChooseCheckpoint(view, CheckpointKind::kLast)->step, 60);
  const auto best = ChooseCheckpoint(view, CheckpointKind::kBest);
  EXPECT_EQ(best.status().code(), absl::StatusCode::kNotFound);
}

TEST(PullTest, LogsAreTheFilesThatEndInLog) {
  AttemptView attempt;
  attempt.artifacts = {Named("trainer.log"), Named("model.safetensors")};
  ASSERT_EQ(LogsOf(attempt).size(), 1U);
  EXPECT_EQ(LogsOf(attempt)[0].name, "trainer.log");
}

}  // namespace
}  // namespace etude
