// The oracle finds what is wrong: every planted bug, within a thousand seeds.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <string>

#include "tests/sim/planted_bug.h"
#include "tests/sim/world.h"

namespace etude {
namespace {

constexpr std::uint64_t kSeeds = 1000;

struct Planted {
  const char* name;
  PlantedBug bug;
};

class PlantedBugTest : public testing::TestWithParam<Planted> {};

TEST_P(PlantedBugTest, IsFound) {
  spdlog::set_level(spdlog::level::off);
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const WorldEnd end = Simulate({.seed = seed, .bug = GetParam().bug});
    if (end.violation.empty()) continue;
    RecordProperty("seed", static_cast<int>(seed));
    RecordProperty("violation", end.violation);
    return;
  }
  FAIL() << "no violation in " << kSeeds << " seeds";
}

INSTANTIATE_TEST_SUITE_P(
    All, PlantedBugTest,
    testing::Values(Planted{"RepliesBeforeCommit", PlantedBug::kRepliesBeforeCommit},
                    Planted{"RepliesBeforeSync", PlantedBug::kRepliesBeforeSync},
                    Planted{"AcknowledgesRefused", PlantedBug::kAcknowledgesRefused},
                    Planted{"ForgetsRebuild", PlantedBug::kForgetsRebuild},
                    Planted{"AnswersFromStaleMemory", PlantedBug::kAnswersFromStaleMemory},
                    Planted{"AcceptsStalePoints", PlantedBug::kAcceptsStalePoints},
                    Planted{"AcceptsAnyFinish", PlantedBug::kAcceptsAnyFinish},
                    Planted{"AcceptsEndTwice", PlantedBug::kAcceptsEndTwice},
                    Planted{"AcceptsEarlyCheckpoints", PlantedBug::kAcceptsEarlyCheckpoints},
                    Planted{"ForgetsRenewals", PlantedBug::kForgetsRenewals},
                    Planted{"KeepsSuperseded", PlantedBug::kKeepsSuperseded},
                    Planted{"LeasesTwice", PlantedBug::kLeasesTwice},
                    Planted{"EndsLeasesAtRestart", PlantedBug::kEndsLeasesAtRestart},
                    Planted{"NeverTicks", PlantedBug::kNeverTicks},
                    Planted{"ForgetsPauses", PlantedBug::kForgetsPauses},
                    Planted{"ReusesAttemptNumbers", PlantedBug::kReusesAttemptNumbers},
                    Planted{"ForgetsDeletedRuns", PlantedBug::kForgetsDeletedRuns},
                    Planted{"CancelsFinishedRuns", PlantedBug::kCancelsFinishedRuns},
                    Planted{"ResumesTooFar", PlantedBug::kResumesTooFar},
                    Planted{"LeasesHeldOut", PlantedBug::kLeasesHeldOut},
                    Planted{"KeepsLaterPoints", PlantedBug::kKeepsLaterPoints},
                    Planted{"KeepsRepeatedPoints", PlantedBug::kKeepsRepeatedPoints},
                    Planted{"ForgetsCheckpoints", PlantedBug::kForgetsCheckpoints},
                    Planted{"TearsBatches", PlantedBug::kTearsBatches},
                    Planted{"AcknowledgesByItself", PlantedBug::kAcknowledgesByItself},
                    Planted{"NeverResends", PlantedBug::kNeverResends}),
    [](const auto& planted) { return std::string(planted.param.name); });

}  // namespace
}  // namespace etude
