// How many workers a fleet wants, what it does to get them, and what it tells its engines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/external_command.h"
#include "client/fleet_round.h"
#include "client/fleet_size.h"
#include "client/fleet_spec.h"
#include "client/slurm.h"
#include "client/ssh_fleet.h"
#include "lib/base/file.h"
#include "lib/base/status.h"
#include "tests/unit/client/builders.h"

namespace etude {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using State = FleetMember::State;

FleetSpec MakeFleet() {
  FleetSpec spec;
  spec.name = "night";
  spec.tag = "0a1b2c";
  spec.max = 8;
  spec.worker.program = "/opt/etude/etude-worker";
  spec.worker.endpoint = "big-host:7433";
  spec.worker.token_file = "/home/ana/tls/worker.token";
  return spec;
}

FleetSpec MakeSshFleet() {
  FleetSpec spec = MakeFleet();
  spec.engine = FleetEngineKind::kSsh;
  spec.ssh.hosts = {"ana", "bob"};
  return spec;
}

FleetMember MakeMember(const std::string& id, State state, bool stays = false) {
  return {.id = id, .state = state, .stays = stays};
}

std::vector<std::string> IdsOf(const std::vector<FleetMember>& members) {
  std::vector<std::string> ids;
  for (const FleetMember& member : members) ids.push_back(member.id);
  return ids;
}

TEST(WantedWorkersTest, NoneWithoutWork) { EXPECT_EQ(WantedWorkers(MakeFleet(), {}), 0); }

TEST(WantedWorkersTest, OneMeasuresWhatHasNeverRun) {
  EXPECT_EQ(WantedWorkers(MakeFleet(), {.queued_jobs = 100, .has_unmeasured = true}), 1);
}

TEST(WantedWorkersTest, AsManyAsFinishTheMeasuredWorkInTime) {
  FleetSpec spec = MakeFleet();
  spec.finish_in = absl::Minutes(10);
  EXPECT_EQ(WantedWorkers(spec, {.queued_jobs = 100, .work_s = 1800}), 3);
  EXPECT_EQ(WantedWorkers(spec, {.queued_jobs = 100, .work_s = 1801}), 4);
  EXPECT_EQ(WantedWorkers(spec, {.queued_jobs = 100, .work_s = 1e9}), 8) << "--max";
}

TEST(WantedWorkersTest, NoMoreThanThereAreJobs) {
  EXPECT_EQ(WantedWorkers(MakeFleet(), {.queued_jobs = 2, .fleet_jobs = 1, .work_s = 1e6}), 3);
}

TEST(WantedWorkersTest, SecondsOfWorkStartOneNotMany) {
  EXPECT_EQ(WantedWorkers(MakeFleet(), {.queued_jobs = 40, .work_s = 50}), 1);
}

TEST(WantedWorkersTest, AWorkersSlotsCount) {
  FleetSpec spec = MakeFleet();
  spec.worker.slots = 4;
  EXPECT_EQ(WantedWorkers(spec, {.queued_jobs = 9, .work_s = 1e6}), 3);
}

TEST(WantedWorkersTest, TheMinimumStays) {
  FleetSpec spec = MakeFleet();
  spec.min = 2;
  EXPECT_EQ(WantedWorkers(spec, {}), 2);
}

TEST(FleetStepTest, StartsTheMinimumApartFromTheOthers) {
  FleetSpec spec = MakeFleet();
  spec.min = 2;
  const FleetStep step = NextFleetStep(spec, 5, {MakeMember("1_1", State::kRunning, true)});
  EXPECT_EQ(step.start_staying, 1);
  EXPECT_EQ(step.start_others, 3);
  EXPECT_THAT(step.stop, IsEmpty());
}

TEST(FleetStepTest, CountsNeitherWhatIsEndingNorWhatFailed) {
  const FleetStep step =
      NextFleetStep(MakeFleet(), 2,
                    {MakeMember("1", State::kEnding), MakeMember("2", State::kFailed),
                     MakeMember("3", State::kWaiting)});
  EXPECT_EQ(step.start_others, 1);
}

TEST(FleetStepTest, TakesBackOnlyWhatWaitsInVain) {
  const FleetStep step =
      NextFleetStep(MakeFleet(), 1,
                    {MakeMember("1", State::kRunning), MakeMember("2", State::kRunning),
                     MakeMember("3", State::kWaiting)});
  EXPECT_THAT(IdsOf(step.stop), ElementsAre("3")) << "those that run end when idle";
}

TEST(FleetStepTest, AboveTheMaximumTheWaitingGoFirstThenTheNewest) {
  FleetSpec spec = MakeFleet();
  spec.max = 1;
  const FleetStep step =
      NextFleetStep(spec, 1,
                    {MakeMember("1", State::kRunning), MakeMember("2", State::kWaiting),
                     MakeMember("3", State::kRunning)});
  EXPECT_THAT(IdsOf(step.stop), ElementsAre("2", "3"));
}

TEST(FleetStepTest, ALowerMinimumEndsThoseThatWouldStay) {
  const FleetStep step = NextFleetStep(MakeFleet(), 0, {MakeMember("1", State::kRunning, true)});
  EXPECT_THAT(IdsOf(step.stop), ElementsAre("1"));
  EXPECT_EQ(step.start_others, 0);
}

TEST(FleetSpecTest, SurvivesItsJson) {
  FleetSpec spec = MakeSshFleet();
  spec.min = 3;
  spec.idle = absl::Seconds(90);
  spec.slurm = {"gpu", "lab", "4:00:00", 2, {"--exclusive", "--comment=a b"}};
  spec.worker.tls_ca = "/tls/ca.pem";
  const absl::StatusOr<FleetSpec> read = FleetFromJson(FleetToJson(spec), "fleet.json");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(FleetToJson(*read), FleetToJson(spec));
  EXPECT_EQ(FleetFromJson("{\"name\":1}", "fleet.json").status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(FleetSpecTest, IsFoundByNameUntilItIsRemoved) {
  std::string directory = testing::TempDir() + "fleet.XXXXXX";
  const std::string state = mkdtemp(directory.data());
  EXPECT_TRUE(absl::IsNotFound(ReadFleet(state, "night").status()));
  ASSERT_TRUE(WriteFleet(state, MakeFleet()).ok());
  EXPECT_THAT(FleetNames(state), ElementsAre("night"));
  EXPECT_EQ(ReadFleet(state, "night")->max, 8);
  ASSERT_TRUE(RemoveFleet(state, "night").ok());
  EXPECT_THAT(FleetNames(state), IsEmpty());
}

struct BadFleet {
  const char* flag;
  void (*spoil)(FleetSpec&);
};
class BadFleetTest : public testing::TestWithParam<BadFleet> {};

TEST_P(BadFleetTest, IsRefusedByItsFlag) {
  FleetSpec spec = MakeSshFleet();
  ASSERT_TRUE(CheckFleet(spec).ok());
  GetParam().spoil(spec);
  const absl::Status status = CheckFleet(spec);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(status), HasSubstr(GetParam().flag));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadFleetTest,
    testing::Values(BadFleet{"--name", [](FleetSpec& f) { f.name = "../x"; }},
                    BadFleet{"--name", [](FleetSpec& f) { f.name = "-x"; }},
                    BadFleet{"--max", [](FleetSpec& f) { f.max = 0; }},
                    BadFleet{"--max", [](FleetSpec& f) { f.max = 1001; }},
                    BadFleet{"--min", [](FleetSpec& f) { f.min = 9; }},
                    BadFleet{"--slots", [](FleetSpec& f) { f.worker.slots = 0; }},
                    BadFleet{"--threads", [](FleetSpec& f) { f.worker.threads = 0; }},
                    BadFleet{"--host", [](FleetSpec& f) { f.ssh.hosts.clear(); }},
                    BadFleet{"--program", [](FleetSpec& f) { f.worker.program = "bin/x"; }},
                    BadFleet{"--host", [](FleetSpec& f) { f.ssh.hosts = {"-oProxyCommand=x"}; }},
                    BadFleet{"--host", [](FleetSpec& f) { f.ssh.hosts = {"a b"}; }},
                    BadFleet{"--partition",
                             [](FleetSpec& f) {
                               f.engine = FleetEngineKind::kSlurm;
                               f.slurm.partition = "main\n#SBATCH --uid=0";
                             }},
                    BadFleet{"--gpus", [](FleetSpec& f) {
                               f.engine = FleetEngineKind::kSlurm;
                               f.slurm.gpus = -1;
                             }}));

TEST(FleetWorkerTest, OnlyThoseBeyondTheMinimumEndWhenIdle) {
  EXPECT_THAT(FleetWorkerArguments(MakeFleet(), false), testing::Contains("--idle-exit"));
  EXPECT_THAT(FleetWorkerArguments(MakeFleet(), true), Not(testing::Contains("--idle-exit")));
}

TEST(ShellQuotedTest, AShellReadsTheWordBack) {
  const std::string word = "it's $HOME `id` \"x\" \\ \n*";
  const auto echoed =
      RunExternal({.arguments = {"sh", "-s"}, .input = "printf %s " + ShellQuoted(word)});
  ASSERT_TRUE(echoed.ok()) << echoed.status();
  EXPECT_EQ(echoed->out, word);
}

TEST(SlurmScriptTest, AsksForWhatTheFleetSays) {
  FleetSpec spec = MakeFleet();
  spec.worker.threads = 3;
  spec.worker.slots = 2;
  spec.slurm = {"gpu", "lab", "4:00:00", 1, {}};
  const std::string script = SlurmJobScript(spec, "/home/ana/logs");
  for (const char* line :
       {"#SBATCH --job-name=etude-night\n", "--cpus-per-task=6\n", "#SBATCH --requeue",
        "#SBATCH --signal=B:TERM@60\n", "#SBATCH --gres=gpu:1\n", "#SBATCH --partition=gpu\n",
        "#SBATCH --account=lab\n", "#SBATCH --time=4:00:00\n",
        "#SBATCH --output=/home/ana/logs/%A_%a.log\n"}) {
    EXPECT_THAT(script, HasSubstr(line));
  }
  const auto checked = RunExternal({.arguments = {"bash", "-n"}, .input = script});
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->status, 0) << checked->err;
}

TEST(SqueueTest, MembersAreWhatWaitsRunsEndsOrFailed) {
  const std::string text =
      "7_1|RUNNING|None|n1|etude-night+stay\n"
      "7_2|PENDING|Resources||etude-night\n"
      "7_3|COMPLETING|None|n2|etude-night\n"
      "7_4|FAILED|NonZeroExitCode|n2|etude-night\n"
      "7_5|COMPLETED|None|n2|etude-night\n"
      "7_6|CANCELLED|None||etude-night\n"
      "not a line\n";
  const std::vector<FleetMember> members = ParseSqueue(text, MakeFleet(), "/logs");
  ASSERT_THAT(IdsOf(members), ElementsAre("7_1", "7_2", "7_3", "7_4"));
  EXPECT_TRUE(members[0].stays);
  EXPECT_EQ(members[0].where, "n1");
  EXPECT_EQ(members[0].worker, "night.0a1b2c-7_1");
  EXPECT_EQ(members[0].log, "/logs/7_1.log");
  EXPECT_EQ(members[1].reason, "Resources");
  EXPECT_EQ(members[2].state, State::kEnding);
  EXPECT_EQ(members[3].state, State::kFailed);
}

TEST(SshListTest, SaysWhatRunsAndHowTheOthersEnded) {
  const std::vector<FleetMember> members = ParseSshList(
      "1|running|yes|77|\n3|failed|no||exit code 4: the token is wrong\n5|ending|no|78|\n",
      MakeSshFleet(), "ana");
  ASSERT_THAT(IdsOf(members), ElementsAre("ana/1", "ana/3", "ana/5"));
  EXPECT_TRUE(members[0].stays);
  EXPECT_EQ(members[1].reason, "exit code 4: the token is wrong");
  EXPECT_EQ(members[2].state, State::kEnding);
  EXPECT_EQ(members[0].worker, "night.0a1b2c-1");
}

TEST(SshScriptTest, CarriesTheTokenToAFileAndNeverOnACommandLine) {
  FleetSpec spec = MakeSshFleet();
  spec.worker.token_file = testing::TempDir() + "fleet.token";
  ASSERT_TRUE(WriteFileAtomically(spec.worker.token_file, "etude_secret\n", 0600).ok());
  const auto script = SshStartScript(spec, {1, 3}, false);
  ASSERT_TRUE(script.ok()) << script.status();
  EXPECT_THAT(*script, Not(HasSubstr("etude_secret")));
  EXPECT_THAT(*script, HasSubstr("'--token-file' '../tls/token'"));
  const auto checked = RunExternal({.arguments = {"sh", "-n"}, .input = *script});
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->status, 0) << checked->err;
}

TEST(WorkerOfTest, IsTheNewestThatBearsTheMembersName) {
  std::vector<WorkerView> workers(4);
  const char* ids[] = {"night.0a1b2c-7_1-aaaaaa", "night.0a1b2c-7_1-bbbbbb",
                       "night.0a1b2c-7_11-cccccc", "night.0a1b2c-7_1-1-dddddd"};
  for (std::size_t i = 0; i < workers.size(); ++i) {
    workers[i].worker.id = WorkerId(ids[i]);
    workers[i].worker.last_seen_at_us = static_cast<std::int64_t>(i);
  }
  const FleetMember member = {.id = "7_1", .worker = "night.0a1b2c-7_1"};
  ASSERT_NE(WorkerOf(member, workers), nullptr);
  EXPECT_EQ(WorkerOf(member, workers)->worker.id.text(), "night.0a1b2c-7_1-bbbbbb");
  EXPECT_EQ(WorkerOf({.id = "host/*"}, workers), nullptr);
}

TEST(ExternalCommandTest, TellsHowAProgramEndedAndWhatItPrinted) {
  const auto result =
      RunExternal({.arguments = {"sh", "-c", "cat; echo oops >&2; exit 3"}, .input = "through"});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->status, 3);
  EXPECT_EQ(result->out, "through");
  EXPECT_EQ(LastLineOf(result->err), "oops");
}

TEST(ExternalCommandTest, IsKilledAtItsLimitAndMissingWhereThereIsNone) {
  const auto late = RunExternal({.arguments = {"sleep", "60"}, .limit = absl::Milliseconds(50)});
  EXPECT_EQ(late.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(absl::IsNotFound(RunExternal({.arguments = {"no-such-program-here"}}).status()));
}

TEST(ExternalCommandTest, DoesNotWaitForWhatAProgramLeavesRunning) {
  const auto result =
      RunExternal({.arguments = {"sh", "-c", "sleep 5 & echo $!"}, .limit = absl::Seconds(60)});
  ASSERT_TRUE(result.ok()) << result.status();
  const auto left = RunExternal({.arguments = {"kill", LastLineOf(result->out)}});
  EXPECT_EQ(left->status, 0) << "it still ran";
}

}  // namespace
}  // namespace etude
