// What a user gets for a mistake or a broken machine: the exit code of the contract, and a line
// that says what to do.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/cluster.h"
#include "tests/support/small_sweep.h"

namespace etude {
namespace {

constexpr char kGoodSpec[] = R"(name   = "first"
corpus = "tunes"
[[grid]]
transformer = ["2x16x2"]
tokens = ["20k"]
seeds  = [1]
)";

std::string WriteSpec(const std::string& text) {
  const std::string path = NewDirectory("spec") + "/spec.toml";
  std::ofstream(path) << text;
  return path;
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

void ExpectFailure(const CommandResult& result, int status, const std::string& says) {
  EXPECT_EQ(result.status, status) << result.err;
  EXPECT_NE(result.err.find(says), std::string::npos)
      << "expected \"" << says << "\" in: " << result.err;
  EXPECT_EQ(result.out, "");
}

class BadInputTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    cluster_ = new Cluster;
    cluster_->StartCoordinator();
    cluster_->PushCorpus();
  }
  static void TearDownTestSuite() { delete cluster_; }
  static Cluster* cluster_;
};
Cluster* BadInputTest::cluster_ = nullptr;

TEST_F(BadInputTest, AnUnknownKeyIsNamedWithItsPlaceAndTheNearestOne) {
  const std::string path = WriteSpec(Replaced(kGoodSpec, "seeds ", "seed "));
  const CommandResult result = cluster_->Etude({"plan", path});
  ExpectFailure(result, 2, path + ":6:1");
  EXPECT_NE(result.err.find("seeds"), std::string::npos) << result.err;
}

TEST_F(BadInputTest, HeadsThatDoNotDivideTheWidthAreRefused) {
  const std::string path = WriteSpec(Replaced(kGoodSpec, "2x16x2", "2x16x3"));
  ExpectFailure(cluster_->Etude({"submit", path}), 2, "3 heads do not divide width 16");
}

TEST_F(BadInputTest, RepeatedDataMustBeAskedFor) {
  const std::string path = WriteSpec(Replaced(kGoodSpec, "20k", "20M"));
  ExpectFailure(cluster_->Etude({"submit", path}), 2, "repeat = true");
}

TEST_F(BadInputTest, AMissingCorpusIsNotFound) {
  const std::string path = WriteSpec(Replaced(kGoodSpec, "tunes", "no-such-corpus"));
  ExpectFailure(cluster_->Etude({"submit", path}), 3, "no-such-corpus");
}

TEST_F(BadInputTest, AMissingSpecIsNotFound) {
  ExpectFailure(cluster_->Etude({"plan", "/no/such/spec.toml"}), 3, "/no/such/spec.toml");
}

TEST_F(BadInputTest, ACorruptTokenFileIsDataLoss) {
  const std::string copy = NewDirectory("corrupt");
  std::filesystem::copy(cluster_->directory() + "/tunes", copy,
                        std::filesystem::copy_options::recursive);
  std::filesystem::resize_file(copy + "/train.npy", 1000);
  ExpectFailure(cluster_->Etude({"corpus", "push", copy, "--name", "corrupt"}), 9, "train.npy");
}

TEST_F(BadInputTest, AVocabularyOfAnotherCorpusIsDataLoss) {
  const std::string copy = NewDirectory("vocabulary");
  std::filesystem::copy(cluster_->directory() + "/tunes", copy,
                        std::filesystem::copy_options::recursive);
  std::ofstream(copy + "/vocab.json") << R"({"char_to_id":{"a":0,"b":1}})";
  ExpectFailure(cluster_->Etude({"corpus", "push", copy, "--name", "vocabulary"}), 9, "vocab.json");
}

TEST_F(BadInputTest, OneNameStandsForOneCorpus) {
  const std::string other = NewDirectory("other");
  WriteTunes(other + "/abc", 300);
  ASSERT_EQ(
      cluster_->Etude({"corpus", "build", other + "/abc", other + "/built", "--tokenizer", "char"})
          .status,
      0);
  ExpectFailure(cluster_->Etude({"corpus", "push", other + "/built", "--name", "tunes"}), 6,
                "tunes");
}

TEST_F(BadInputTest, AnAbsentCoordinatorIsUnreachable) {
  const CommandResult result = cluster_->Etude({"sweep", "ls", "--endpoint", "127.0.0.1:1"});
  ExpectFailure(result, 5, "etude up");
}

TEST_F(BadInputTest, AWrongTokenIsAnAuthFailure) {
  const std::string token = NewDirectory("token") + "/token";
  std::ofstream(token)
      << "etude_0000000000000000000000000000000000000000000000000000000000000000\n";
  std::filesystem::permissions(token, std::filesystem::perms::owner_read);
  const CommandResult result =
      RunCommand({ProgramPath("etude"), "sweep", "ls", "--endpoint", cluster_->endpoint()},
                 {.environment = {"ETUDE_TOKEN_FILE=" + token}});
  ExpectFailure(result, 4, "token");
}

TEST_F(BadInputTest, AnUnknownSweepIsNotFound) {
  ExpectFailure(cluster_->Etude({"sweep", "show", "nothing"}), 3, "nothing");
}

TEST_F(BadInputTest, JsonErrorsAreObjectsOnStderr) {
  const CommandResult result = cluster_->Etude({"sweep", "show", "nothing", "-o", "json"});
  EXPECT_EQ(result.status, 3);
  const nlohmann::json error = nlohmann::json::parse(result.err, nullptr, false);
  ASSERT_FALSE(error.is_discarded()) << result.err;
  for (const char* key : {"code", "message", "hint", "retryable", "where"}) {
    EXPECT_TRUE(error["error"].contains(key)) << key;
  }
}

TEST_F(BadInputTest, ThePortInUseIsNamed) {
  const CommandResult result =
      RunCommand({ProgramPath("etude-coordinator"), "--state", NewDirectory("second"), "--listen",
                  cluster_->endpoint()});
  EXPECT_EQ(result.status, 1) << result.err;
  EXPECT_NE(result.err.find("in use"), std::string::npos) << result.err;
}

TEST_F(BadInputTest, ASecondCoordinatorOnOneStateDirectoryIsRefused) {
  const CommandResult result =
      RunCommand({ProgramPath("etude-coordinator"), "--state",
                  cluster_->directory() + "/coordinator", "--listen", "127.0.0.1:0"});
  EXPECT_NE(result.status, 0);
  EXPECT_NE(result.err.find(std::to_string(cluster_->coordinator().pid())), std::string::npos)
      << result.err;
}

TEST_F(BadInputTest, AnotherAddressThanLoopbackNeedsTls) {
  const CommandResult result = RunCommand(
      {ProgramPath("etude-coordinator"), "--state", NewDirectory("open"), "--listen", "0.0.0.0:0"});
  EXPECT_NE(result.status, 0);
  for (const char* flag : {"--tls-cert", "--tls-key", "--tls-ca", "--token-file"}) {
    EXPECT_NE(result.err.find(flag), std::string::npos) << flag;
  }
}

// A coordinator whose state directory is a small disk of its own.
class DiskFullTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(State());
    if (mount("tmpfs", State().c_str(), "tmpfs", 0, "size=24m,mode=700") != 0) {
      GTEST_SKIP() << "NOT TESTED: a full disk; a small tmpfs needs root and mount rights";
    }
    mounted_ = true;
    cluster_.StartCoordinator();
    cluster_.PushCorpus();
  }
  void TearDown() override {
    if (!mounted_) return;
    KillCoordinator();
    umount(State().c_str());
  }

  std::string State() const { return cluster_.directory() + "/coordinator"; }
  void KillCoordinator() {
    cluster_.coordinator().Signal(SIGKILL);
    cluster_.coordinator().Wait(10);
  }
  // With as much as fits.
  void Fill() { std::ofstream(State() + "/filler") << std::string(32 << 20, 'x'); }
  void Free() { std::filesystem::remove(State() + "/filler"); }
  // Of all points that the worker's trainers have written, acknowledged or not.
  std::uintmax_t SpooledBytes() const {
    std::uintmax_t bytes = 0;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(cluster_.directory() + "/one")) {
      if (entry.path().filename() == "points.log") bytes += entry.file_size();
    }
    return bytes;
  }

  Cluster cluster_{{.coordinator_toml = "min_free_mib = 0\n"}};
  bool mounted_ = false;
};

TEST_F(DiskFullTest, NothingAcknowledgedIsLost) {
  Fill();
  const CommandResult refused = cluster_.Submit(kGoodSpec, /*wait=*/false);
  EXPECT_NE(refused.status, 0);
  EXPECT_NE(refused.err.find("disk"), std::string::npos) << refused.err;
  Free();
  EXPECT_TRUE(
      Eventually(30, [&] { return cluster_.Submit(kGoodSpec, /*wait=*/false).status == 0; }));
  KillCoordinator();
  cluster_.StartCoordinator();
  EXPECT_EQ(cluster_.RunsOf("first").size(), 1u);
}

TEST_F(DiskFullTest, WorkersTrainOnAndReportOnceThereIsRoom) {
  cluster_.StartWorker("one");
  ASSERT_EQ(cluster_.Submit(SpecOf({.name = "full"}), /*wait=*/false).status, 0);
  std::string run;
  ASSERT_TRUE(Eventually(60, [&] {
    for (const std::string& one : cluster_.RunsOf("full")) {
      if (cluster_.StateOf(one) == "running" && cluster_.StepOf(one) >= 50) run = one;
    }
    return !run.empty();
  }));
  Fill();
  // What was decided before is committed or refused by the time that a change is refused.
  ASSERT_NE(cluster_.Submit(kGoodSpec, /*wait=*/false).status, 0);
  const std::int64_t committed = cluster_.StepOf(run);
  const std::uintmax_t spooled = SpooledBytes();
  EXPECT_TRUE(Eventually(30, [&] { return SpooledBytes() > spooled + spooled / 4; }));
  EXPECT_EQ(cluster_.StepOf(run), committed);
  Free();
  const CommandResult waited = cluster_.Etude({"sweep", "wait", "full"}, 240);
  EXPECT_EQ(waited.status, 0) << waited.err;
  for (const std::string& one : cluster_.RunsOf("full")) {
    EXPECT_NE(cluster_.FingerprintOf(one), "");
    EXPECT_EQ(cluster_.AttemptsOf(one), 1);
  }
}

}  // namespace
}  // namespace etude
