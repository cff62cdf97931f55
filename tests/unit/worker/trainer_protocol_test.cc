#include "worker/trainer_protocol.h"

#include <gtest/gtest.h>

#include "lib/base/random.h"

namespace etude {
namespace {

std::string WithoutEnd(const std::string& line) { return line.substr(0, line.size() - 1); }

JobMessage SomeJob() {
  return {.job = JobId("abc.0"),
          .attempt = 2,
          .config_json = R"({"quoted":"\n"})",
          .to = 300,
          .corpus_dir = "/state/corpora/c",
          .attempt_dir = "/state/attempts/abc.0/2",
          .resume_dir = "/state/attempts/abc.0/2/checkpoints/step-00000100",
          .start_step = 100,
          .checkpoint_every = absl::Milliseconds(1500),
          .branch_steps = {120, 240}};
}

TEST(TrainerProtocolTest, EveryAgentMessageSurvivesTheWay) {
  for (const AgentMessage& message :
       {AgentMessage(SomeJob()), AgentMessage(StopMessage{StopKind::kCheckpoint}),
        AgentMessage(StopMessage{StopKind::kRelease}), AgentMessage(StopMessage{StopKind::kCancel}),
        AgentMessage(ExitMessage{})}) {
    const std::string line = Encode(message);
    EXPECT_EQ(line.find('\n'), line.size() - 1) << "one line: " << line;
    const auto back = DecodeAgentMessage(WithoutEnd(line));
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_TRUE(*back == message) << line;
  }
}

TEST(TrainerProtocolTest, EveryTrainerMessageSurvivesTheWay) {
  for (const TrainerMessage& message :
       {TrainerMessage(ReadyMessage{1, "cuda", R"({"build":"x"})"}),
        TrainerMessage(
            DoneMessage{JobId("abc.0"), 1, JobOutcome::kDiverged, absl::StatusCode::kOk, ""}),
        TrainerMessage(DoneMessage{JobId("abc.0"), 1, std::nullopt,
                                   absl::StatusCode::kResourceExhausted, "disk full"})}) {
    const auto back = DecodeTrainerMessage(WithoutEnd(Encode(message)));
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_TRUE(*back == message);
  }
}

class RefusedLineTest : public testing::TestWithParam<const char*> {};

TEST_P(RefusedLineTest, IsInvalidForBothSides) {
  EXPECT_EQ(DecodeAgentMessage(GetParam()).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DecodeTrainerMessage(GetParam()).status().code(), absl::StatusCode::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(
    Strict, RefusedLineTest,
    testing::Values("", "{}", "[]", "stop", R"({"stop":{}})", R"({"stop":{"kind":"maybe"}})",
                    R"({"stop":{"kind":"cancel","why":"x"}})", R"({"stop":{"kind":3}})",
                    R"({"exit":{},"stop":{"kind":"cancel"}})", R"({"exit":[]})", R"({"job":{}})",
                    R"({"ready":{"protocol":1}})",
                    R"({"done":{"job":"a","attempt":1,"outcome":"fine","code":0,"error":""}})",
                    R"({"done":{"job":"a","attempt":1,"outcome":"","code":99,"error":""}})"));

TEST(TrainerProtocolTest, LinesAreCutWhereverBytesArrive) {
  const std::string stream = Encode(AgentMessage(SomeJob())) + Encode(AgentMessage(ExitMessage{}));
  LineBuffer lines;
  std::vector<std::string> found;
  for (const char c : stream) {
    ASSERT_TRUE(lines.Add({&c, 1}).ok());
    while (auto line = lines.NextLine()) found.push_back(*line);
  }
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0] + "\n", Encode(AgentMessage(SomeJob())));
}

TEST(TrainerProtocolTest, AnEndlessLineIsRefused) {
  LineBuffer lines;
  const std::string piece(1024, 'x');
  absl::Status status;
  for (int i = 0; i < 65 && status.ok(); ++i) status = lines.Add(piece);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
}

TEST(TrainerProtocolTest, MutatedLinesNeverCrash) {
  const std::string line = WithoutEnd(Encode(AgentMessage(SomeJob())));
  int refused = 0;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    const CounterRandom random(7, RandomStream::kSampling, i);
    std::string mutant = line;
    mutant[random.Below(0, mutant.size())] = static_cast<char>(random.Below(1, 256));
    refused += DecodeAgentMessage(mutant).ok() ? 0 : 1;
  }
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace etude
