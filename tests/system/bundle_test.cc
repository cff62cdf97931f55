// A sweep that moves from one coordinator to another: what is said of it there is the same, byte
// for byte, and what had not ended goes on.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "tests/support/cluster.h"
#include "tests/support/small_sweep.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

constexpr double kRunSeconds = 240;
const SmallSweep kShort = {.name = "bundle", .tokens = "60k"};

std::string BytesOf(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

// Every file below a directory, by its path from there.
std::map<std::string, std::string> TreeOf(const std::string& directory) {
  std::map<std::string, std::string> tree;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    tree[entry.path().lexically_relative(directory).generic_string()] = BytesOf(entry.path());
  }
  return tree;
}

// What a person can see of a finished sweep.
std::map<std::string, std::string> Seen(Cluster& cluster, const std::string& sweep) {
  const std::string out = NewDirectory("seen");
  std::map<std::string, std::string> seen;
  const auto note = [&](const std::vector<std::string>& arguments) {
    const CommandResult result = cluster.Etude(arguments);
    EXPECT_EQ(result.status == 0 || result.status == 10, true) << result.err;
    std::string command;
    for (const std::string& word : arguments) command += word + " ";
    seen[command] = result.out;
  };
  note({"fit", sweep, "--law", "power-n", "--bootstrap", "20", "-o", "json"});
  for (const std::string& run : cluster.RunsOf(sweep)) {
    note({"run", "curve", run, "-o", "csv"});
    note({"run", "show", run, "-o", "json"});
    for (const std::string kind : {"best", "last"}) {
      const fs::path pulled = fs::path(out) / run / kind;
      EXPECT_EQ(cluster.Etude({"run", "pull", run, "--" + kind, pulled.string()}).status, 0);
    }
  }
  for (const auto& [name, bytes] : TreeOf(out)) seen[name] = bytes;
  EXPECT_EQ(cluster.Etude({"export", sweep, "--to", "csv", out + "/csv"}).status, 0);
  for (const auto& [name, bytes] : TreeOf(out + "/csv")) seen["csv/" + name] = bytes;
  return seen;
}

void ExpectSame(const std::map<std::string, std::string>& a,
                const std::map<std::string, std::string>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [what, text] : a) {
    ASSERT_TRUE(b.contains(what)) << what;
    EXPECT_TRUE(b.at(what) == text) << what << "\n"
                                    << text.substr(0, 2000) << "\n--- there:\n"
                                    << b.at(what).substr(0, 2000);
  }
}

class BundleTest : public testing::Test {
 protected:
  BundleTest() {
    here_.StartCoordinator();
    here_.StartWorker("one");
    here_.PushCorpus();
    there_.StartCoordinator();
  }
  void Train(const SmallSweep& sweep) {
    const CommandResult done = here_.Submit(SpecOf(sweep), /*wait=*/true);
    ASSERT_EQ(done.status, 0) << done.err;
  }
  void Export(const std::string& sweep) {
    const CommandResult exported = here_.Etude({"export", sweep, "--to", "bundle", bundle()});
    ASSERT_EQ(exported.status, 0) << exported.err;
  }
  CommandResult Import(const std::string& directory, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"import", directory};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return there_.Etude(arguments);
  }
  std::string bundle() const { return here_.directory() + "/bundle"; }

  Cluster here_;
  Cluster there_;
};

TEST_F(BundleTest, AFinishedSweepIsTheSameThereAndImportedTwiceStaysSo) {
  ASSERT_NO_FATAL_FAILURE(Train(kShort));
  ASSERT_NO_FATAL_FAILURE(Export("bundle"));
  const CommandResult imported = Import(bundle(), {"-o", "json"});
  ASSERT_EQ(imported.status, 0) << imported.err;
  EXPECT_NE(imported.out.find("\"runs_added\": 2"), std::string::npos) << imported.out;
  const auto before = Seen(here_, "bundle");
  ExpectSame(before, Seen(there_, "bundle"));
  EXPECT_EQ(there_.Etude({"db", "verify"}).status, 0);
  const CommandResult again = Import(bundle(), {"-o", "json"});
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_NE(again.out.find("\"runs_kept\": 2"), std::string::npos) << again.out;
  // What is imported can be handed on: the same rows but for their names.
  const std::string onward = there_.directory() + "/onward";
  ASSERT_EQ(there_.Etude({"export", "bundle", "--to", "bundle", onward}).status, 0);
  EXPECT_TRUE(BytesOf(bundle() + "/rows.ndjson") == BytesOf(onward + "/rows.ndjson"));
  there_.coordinator().Signal(SIGKILL);
  ASSERT_TRUE(there_.coordinator().Wait(10).has_value());
  there_.StartCoordinator();
  ExpectSame(before, Seen(there_, "bundle"));
}

TEST_F(BundleTest, ASweepThatHadNotEndedGoesOnThereToTheSameLosses) {
  const SmallSweep sweep = {.name = "onward"};
  ASSERT_EQ(here_.Submit(SpecOf(sweep), /*wait=*/false).status, 0);
  ASSERT_TRUE(
      Eventually(kRunSeconds, [&] { return here_.StepOf(here_.RunsOf("onward")[0]) >= 300; }));
  here_.worker("one").Signal(SIGTERM);  // it gives its job back, with a checkpoint
  ASSERT_TRUE(here_.worker("one").Wait(30).has_value());
  ASSERT_NO_FATAL_FAILURE(Export("onward"));
  const std::string begun = here_.RunsOf("onward")[0];
  const CommandResult imported = Import(bundle());
  ASSERT_EQ(imported.status, 0) << imported.err;
  EXPECT_NE(imported.err.find("etude sweep watch onward"), std::string::npos) << imported.err;
  there_.StartWorker("two");
  const CommandResult waited =
      there_.Etude({"sweep", "wait", "onward", "--timeout", "240s"}, kRunSeconds);
  ASSERT_EQ(waited.status, 0) << waited.err;
  EXPECT_EQ(there_.AttemptsOf(begun), 2);
  EXPECT_GT(there_.LastStartStepOf(begun), 0);
  here_.StartWorker("one");
  ASSERT_EQ(here_.Etude({"sweep", "wait", "onward", "--timeout", "240s"}, kRunSeconds).status, 0);
  EXPECT_EQ(FingerprintsOf(there_, "onward"), FingerprintsOf(here_, "onward"));
}

// Runs of one sweep begin with steps that another one's trained: those come along.
TEST_F(BundleTest, RunsThatBranchOffAnotherSweepsTrunkAreTheSameThere) {
  ASSERT_NO_FATAL_FAILURE(Train(kShort));
  const std::string longer = R"(
name = "longer"
corpus = "tunes"
[train]
context = 32
batch = 8
repeat = true
[transformer]
lr = 3e-3
[[grid]]
transformer = ["2x32x2"]
tokens = ["90k", "120k"]
seeds = [7]
[eval]
curve = { points = 6, tokens = "4k" }
)";
  ASSERT_EQ(here_.Submit(longer, /*wait=*/true).status, 0);
  ASSERT_NO_FATAL_FAILURE(Export("longer"));
  const CommandResult imported = Import(bundle(), {"-o", "json"});
  ASSERT_EQ(imported.status, 0) << imported.err;
  EXPECT_NE(imported.out.find("\"runs_added\": 3"), std::string::npos) << imported.out;
  const auto before = Seen(here_, "longer");
  ExpectSame(before, Seen(there_, "longer"));
  const std::string first = here_.directory() + "/first";
  ASSERT_EQ(here_.Etude({"export", "bundle", "--to", "bundle", first}).status, 0);
  const CommandResult second = Import(first, {"-o", "json"});
  ASSERT_EQ(second.status, 0) << second.err;
  EXPECT_NE(second.out.find("\"runs_kept\": 1"), std::string::npos) << second.out;
  EXPECT_EQ(FingerprintsOf(there_, "bundle"), FingerprintsOf(here_, "bundle"));
  ExpectSame(before, Seen(there_, "longer"));
  EXPECT_EQ(there_.Etude({"db", "verify"}).status, 0);
}

TEST_F(BundleTest, ADamagedBundleIsRefusedAndNothingOfItIsThere) {
  ASSERT_NO_FATAL_FAILURE(Train(kShort));
  ASSERT_NO_FATAL_FAILURE(Export("bundle"));
  for (const auto& [name, bytes] : TreeOf(bundle())) {
    if (name == "lock") continue;
    std::string damaged = bytes;
    damaged[damaged.size() / 2] ^= 0x40;
    std::ofstream(bundle() + "/" + name, std::ios::binary) << damaged;
    const CommandResult refused = Import(bundle());
    EXPECT_TRUE(refused.status == 9 || (name == "manifest.json" && refused.status == 2))
        << name << " " << refused.status << refused.err;
    std::ofstream(bundle() + "/" + name, std::ios::binary) << bytes;
  }
  EXPECT_EQ(there_.EtudeJson({"sweep", "ls"})["sweeps"].size(), 0u);
  EXPECT_EQ(there_.EtudeJson({"run", "ls"})["runs"].size(), 0u);
  EXPECT_EQ(there_.EtudeJson({"corpus", "ls"})["corpora"].size(), 0u);
  EXPECT_EQ(Import(bundle()).status, 0);
}

TEST_F(BundleTest, ANameThatIsTakenThereNeedsAnother) {
  ASSERT_NO_FATAL_FAILURE(Train(kShort));
  ASSERT_NO_FATAL_FAILURE(Export("bundle"));
  there_.PushCorpus();
  const SmallSweep other = {.name = "bundle", .tokens = "70k"};
  ASSERT_EQ(there_.Submit(SpecOf(other), /*wait=*/false).status, 0);
  const CommandResult refused = Import(bundle());
  EXPECT_EQ(refused.status, 6) << refused.err;
  EXPECT_NE(refused.err.find("--name OTHER"), std::string::npos) << refused.err;
  ASSERT_EQ(Import(bundle(), {"--name", "of-ana"}).status, 0);
  EXPECT_EQ(FingerprintsOf(there_, "of-ana"), FingerprintsOf(here_, "bundle"));
}

// Wherever the coordinator dies, the sweep is there whole or not at all, and the same command ends
// it.
TEST_F(BundleTest, ACoordinatorThatIsKilledDuringAnImportHasAllOfItOrNothing) {
  ASSERT_NO_FATAL_FAILURE(Train(kShort));
  ASSERT_NO_FATAL_FAILURE(Export("bundle"));
  for (int round = 0; round < 6; ++round) {
    const std::unique_ptr<Process> import = there_.StartEtude({"import", bundle()});
    Eventually(0.02 * round, [&] { return !import->Running(); });
    there_.coordinator().Signal(SIGKILL);
    ASSERT_TRUE(there_.coordinator().Wait(10).has_value());
    import->Signal(SIGKILL);
    import->Wait(10);
    there_.StartCoordinator();
    const std::size_t sweeps = there_.EtudeJson({"sweep", "ls"})["sweeps"].size();
    const std::size_t runs = there_.EtudeJson({"run", "ls"})["runs"].size();
    EXPECT_EQ(runs, 2 * sweeps) << round;
  }
  ASSERT_EQ(Import(bundle()).status, 0);
  ExpectSame(Seen(here_, "bundle"), Seen(there_, "bundle"));
}

}  // namespace
}  // namespace etude
