// Whole worlds, each from a seed. ETUDE_SIM_SEEDS=N runs seeds 1 to N, ETUDE_SIM_SEEDS=FROM-TO
// those, and ETUDE_SIM_TRACE=1 prints everything that happens.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>

#include "tests/sim/world.h"

namespace etude {
namespace {

using Seeds = std::pair<std::uint64_t, std::uint64_t>;  // first and last

constexpr Seeds kSeeds = {1, 2000};
// Fewer worlds need not show everything.
constexpr std::uint64_t kManySeeds = 1000;
constexpr const char* kFaults[] = {"drop",
                                   "duplicate",
                                   "delay",
                                   "reorder",
                                   "partition",
                                   "one-way partition",
                                   "stalled stream",
                                   "coordinator crash",
                                   "coordinator pause",
                                   "storage cut back",
                                   "failed batch found",
                                   "failed commit",
                                   "commit that failed too late",
                                   "failed load",
                                   "slow disk",
                                   "full disk",
                                   "clock jump",
                                   "worker crash",
                                   "power loss",
                                   "lost machine",
                                   "worker pause",
                                   "stop",
                                   "spoilt log",
                                   "failed spawn",
                                   "failed start",
                                   "trainer crash",
                                   "hung trainer",
                                   "message said twice",
                                   "divergence",
                                   "full disk of a worker",
                                   "deleted sweep",
                                   "deleted run trained again"};

Seeds AskedSeeds() {
  const char* asked = std::getenv("ETUDE_SIM_SEEDS");
  if (asked == nullptr) return kSeeds;
  char* end = nullptr;
  const std::uint64_t first = std::strtoull(asked, &end, 10);
  if (*end != '-') return {1, first};
  return {first, std::strtoull(end + 1, nullptr, 10)};
}

std::string HowToRepeat(std::uint64_t seed) {
  return fmt::format("seed {0}; repeat it with ETUDE_SIM_SEEDS={0}-{0} build/tests/sim_test", seed);
}

// For a broken invariant, which ends the process before the test can say more.
volatile std::sig_atomic_t& SeedUnderWay() {
  static volatile std::sig_atomic_t seed = 0;
  return seed;
}

void SayWhichSeed(int) {
  fmt::print(stderr, "{}\n", HowToRepeat(static_cast<std::uint64_t>(SeedUnderWay())));
}

class SimTest : public testing::Test {
 protected:
  SimTest() {
    spdlog::set_level(spdlog::level::off);  // what the agents say, thousands of times
    std::signal(SIGABRT, SayWhichSeed);
  }
  ~SimTest() override { std::signal(SIGABRT, SIG_DFL); }

  static WorldEnd Run(std::uint64_t seed) {
    SeedUnderWay() = static_cast<std::sig_atomic_t>(seed);
    return Simulate({.seed = seed, .prints = std::getenv("ETUDE_SIM_TRACE") != nullptr});
  }
};

TEST_F(SimTest, EverySeedKeepsThePromises) {
  const auto [first, last] = AskedSeeds();
  WorldEnd::Tally all;
  std::map<std::string, int> faults;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    const WorldEnd end = Run(seed);
    ASSERT_EQ(end.violation, "") << HowToRepeat(seed) << "\n" << end.last_lines;
    all.succeeded += end.tally.succeeded;
    all.predicted += end.tally.predicted;
    all.resumed += end.tally.resumed;
    all.superseded += end.tally.superseded;
    all.crashed += end.tally.crashed;
    for (const auto& [fault, count] : end.faults) faults[fault] += count;
  }
  if (last - first < kManySeeds) return;
  for (const char* fault : kFaults) {
    EXPECT_GT(faults[fault], 0) << "no " << fault;
    RecordProperty(fault, faults[fault]);
  }
  for (const int count : {all.succeeded, all.predicted, all.resumed, all.superseded, all.crashed}) {
    EXPECT_GT(count, 0) << "worlds in which little happens show little";
  }
}

TEST_F(SimTest, ASeedRepeatsItself) {
  for (const std::uint64_t seed : {7u, 77u, 777u}) {
    const WorldEnd first = Run(seed);
    const WorldEnd second = Run(seed);
    EXPECT_EQ(first.trace_hash, second.trace_hash) << "seed " << seed;
    EXPECT_EQ(first.elapsed, second.elapsed) << "seed " << seed;
  }
}

TEST_F(SimTest, SeedsDiffer) { EXPECT_NE(Run(1).trace_hash, Run(2).trace_hash); }

}  // namespace
}  // namespace etude
