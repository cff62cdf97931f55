// A coordinator killed, cut off from its power, or refused by its disk at each call that changes
// its state directory, in the middle of sweeps that are the same in every execution. Whoever asked
// asks again; in the end the store must hold what it holds when nothing goes wrong, and at every
// restart exactly what was acknowledged, or that and the one call that was under way.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/file.h"
#include "lib/base/status.h"
#include "tests/support/cluster.h"
#include "tests/support/process.h"
#include "tests/support/scripted_sweep.h"

namespace etude {
namespace {

// How many points of each kind of fault, evenly spaced among all. $ETUDE_SOAK: every one. After an
// error the coordinator tries its disk again a second later, so these take longer.
constexpr std::size_t kDeathsOfATest = 16;
constexpr std::size_t kErrorsOfATest = 8;
constexpr double kStartSeconds = 20;
constexpr double kRetrySeconds = 20;

// The script has the coordinator restarted once in good order; each of its lives has its own calls.
struct Fault {
  int life = 0;  // 1 or 2; 0: none
  int call = 0;
  std::string kind;
};

std::string TextOf(const Fault& fault) {
  return fault.kind + " at call " + std::to_string(fault.call) + " of life " +
         std::to_string(fault.life);
}

bool NamesTheDisk(const std::string& message) {
  return message.find("disk") != std::string::npos ||
         message.find("No space left on device") != std::string::npos;
}

// Whether that fault is the end of the process.
bool Ends(const std::string& kind) { return kind == "kill" || kind == "tear" || kind == "cut"; }

std::vector<std::string> LinesOf(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// Empty if they are equal, else the first line in which they differ.
std::string Difference(const std::string& found, const std::string& expected) {
  std::istringstream found_lines(found);
  std::istringstream expected_lines(expected);
  std::string one;
  std::string other;
  while (true) {
    const bool more = static_cast<bool>(std::getline(found_lines, one));
    const bool other_more = static_cast<bool>(std::getline(expected_lines, other));
    if (!more && !other_more) return "";
    if (one != other || more != other_more) return "found:    " + one + "\nexpected: " + other;
  }
}

// In memory, where a sync costs nothing: what it covers is disk_faults' account, not the disk's.
std::string StateDirectory() {
  std::string path = "/dev/shm/etude.crash.XXXXXX";
  return mkdtemp(path.data()) != nullptr ? path : NewDirectory("crash");
}

// One state directory and the coordinators that lived on it.
class Coordinator {
 public:
  Coordinator() : directory_(StateDirectory()) { std::filesystem::create_directory(state()); }
  ~Coordinator() {
    process_.reset();
    std::filesystem::remove_all(directory_);
  }
  Coordinator(const Coordinator&) = delete;
  Coordinator& operator=(const Coordinator&) = delete;

  std::string state() const { return directory_ + "/state"; }
  const std::string& directory() const { return directory_; }
  // What it did to its directory in its newest life, in order.
  std::vector<std::string> Calls() const { return LinesOf(log_); }
  std::string Said() const {
    std::stringstream text;
    text << std::ifstream(directory_ + "/output.err").rdbuf();
    return text.str();
  }

  // Starts it, under `prefix` if there is one. False: it ended before it listened.
  bool Start(const Fault& fault, const std::vector<std::string>& prefix) {
    std::filesystem::remove(state() + "/endpoint");
    log_ = directory_ + "/calls." + std::to_string(++lives_);
    std::vector<std::string> command = prefix;
    command.insert(
        command.end(),
        {"env", "LD_PRELOAD=" ETUDE_DISK_FAULTS, "ETUDE_DISK_DIRECTORY=" + state(),
         "ETUDE_DISK_LOG=" + log_,
         "ETUDE_DISK_FAULT=" + std::to_string(fault.call) + " " + fault.kind,
         ProgramPath("etude-coordinator"), "--state", state(), "--listen", "127.0.0.1:0"});
    process_ =
        std::make_unique<Process>(command, ProcessOptions{.output_prefix = directory_ + "/output"});
    EXPECT_TRUE(Eventually(kStartSeconds, [this] { return !Running() || !Endpoint().empty(); }));
    return Running();
  }
  bool Running() { return process_ != nullptr && process_->Running(); }
  std::string Endpoint() const {
    const std::vector<std::string> lines = LinesOf(state() + "/endpoint");
    return lines.empty() ? "" : lines[0];
  }
  std::string Token() const { return LinesOf(state() + "/token").at(0); }
  // Its lock names it, whatever it was started under.
  int Stop(int signal) {
    kill(std::stoi(LinesOf(state() + "/lock").at(0)), signal);
    const std::optional<int> status = process_->Wait(kStartSeconds);
    EXPECT_TRUE(status.has_value()) << "it does not end";
    return status.value_or(-1);
  }
  int status() { return process_->Wait(0).value_or(-1); }

 private:
  const std::string directory_;
  std::string log_;
  int lives_ = 0;
  std::unique_ptr<Process> process_;
};

// An execution of the script against a coordinator with at most one fault.
class Execution {
 public:
  // Its coordinators are started under `prefix`, if there is one.
  explicit Execution(const Fault& fault, const std::vector<std::string>& prefix = {})
      : fault_(fault), prefix_(prefix), script_(NewDirectory("script")) {}

  // What is stored after each acknowledged call, the first before any.
  std::vector<std::string> RunUndisturbed() {
    std::vector<std::string> stored;
    Start(1);
    while (!script_.done()) {
      stored.push_back(Stored());
      if (script_.IsAtRestart()) RestartInGoodOrder();
      const absl::Status status = script_.Advance();
      EXPECT_TRUE(status.ok()) << script_.NameOfStep() << ": " << status;
      if (!status.ok()) return stored;
    }
    stored.push_back(Stored());
    EXPECT_EQ(script_.lost_attempts(), 0);
    EndLife();
    return stored;
  }

  void Run(const std::vector<std::string>& expected) {
    Start(1);
    while (!script_.done() && !testing::Test::HasFailure()) {
      if (!coordinator_.Running()) Recover(expected);
      if (script_.IsAtRestart() && lives_.empty()) RestartInGoodOrder();
      if (coordinator_.Running()) AdvanceOnce(expected);
    }
    if (testing::Test::HasFailure()) return;
    coordinator_.Stop(SIGKILL);
    EXPECT_TRUE(coordinator_.Start({}, prefix_)) << coordinator_.Said();
    Connect();
    EXPECT_EQ(Difference(Stored(), expected.back()), "");
    EXPECT_LE(script_.lost_attempts(), 1);
  }

  std::string state() const { return coordinator_.state(); }
  // The calls of its lives that have ended in good order.
  const std::vector<std::vector<std::string>>& lives() const { return lives_; }

 private:
  void Connect() { script_.Connect(coordinator_.Endpoint(), coordinator_.Token()); }

  std::string Stored() {
    const absl::StatusOr<std::string> stored = script_.Stored();
    EXPECT_TRUE(stored.ok()) << stored.status();
    return stored.value_or("");
  }

  // With the fault if it belongs to that life. One that cannot start says why.
  void Start(int life) {
    const bool faulty = fault_.life == life;
    if (coordinator_.Start(faulty ? fault_ : Fault{}, prefix_)) return Connect();
    EXPECT_TRUE(faulty) << coordinator_.Said();
    ExpectSaidWhy();
  }

  void EndLife() {
    script_.Disconnect();
    coordinator_.Stop(SIGTERM);
    lives_.push_back(coordinator_.Calls());
  }

  void RestartInGoodOrder() {
    EndLife();
    Start(2);
  }

  // What was acknowledged is there, and nothing else but the call that was under way.
  void Recover(const std::vector<std::string>& expected) {
    ASSERT_TRUE(coordinator_.Start({}, prefix_)) << coordinator_.Said();
    Connect();
    const std::string stored = Stored();
    const std::size_t step = script_.step();
    if (stored == expected[step]) return;
    ASSERT_LT(step + 1, expected.size());
    EXPECT_EQ(Difference(stored, expected[step + 1]), "") << "died in: " << script_.NameOfStep();
  }

  // A refusal names the disk, may be answered by asking again, and has changed nothing. Otherwise
  // the coordinator has ended, or is about to: its sockets close before it is gone.
  void AdvanceOnce(const std::vector<std::string>& expected) {
    const std::size_t step = script_.step();
    absl::Status status = script_.Advance();
    ExpectSyncedAgain();
    if (status.ok()) return;
    // A change of the coordinator's own failed, and memory was read back: workers are asked to
    // register again.
    if (absl::IsNotFound(status) && script_.IsOfWorker()) return;
    if (!NamesTheDisk(MessageOf(status))) return ExpectEnded(status);
    EXPECT_TRUE(absl::IsUnavailable(status) || absl::IsResourceExhausted(status)) << status;
    EXPECT_EQ(Difference(Stored(), expected[step]), "") << script_.NameOfStep() << ": " << status;
    EXPECT_TRUE(Eventually(kRetrySeconds,
                           [&] {
                             status = script_.Advance();
                             return status.ok() || !coordinator_.Running();
                           }))
        << script_.NameOfStep() << ": " << status;
  }

  void ExpectEnded(const absl::Status& status) {
    EXPECT_TRUE(absl::IsUnavailable(status)) << script_.NameOfStep() << ": " << status;
    EXPECT_TRUE(Eventually(kStartSeconds, [this] { return !coordinator_.Running(); })) << status;
    ExpectSaidWhy();
  }

  // One that its disk made end says so; one that was killed cannot.
  void ExpectSaidWhy() {
    if (Ends(fault_.kind)) {
      EXPECT_EQ(coordinator_.status(), 128 + SIGKILL);
    } else {
      EXPECT_NE(coordinator_.Said().find("etude-coordinator: "), std::string::npos)
          << coordinator_.Said();
    }
  }

  // A file or directory of the blob store whose sync failed is synced again, or what was uploaded
  // is not there: an upload is not acknowledged because an earlier try left its file behind.
  void ExpectSyncedAgain() {
    const auto call = static_cast<std::size_t>(fault_.call);
    if (fault_.kind != "EIO" || fault_.life != static_cast<int>(lives_.size()) + 1) return;
    const std::vector<std::string> calls = coordinator_.Calls();
    if (calls.size() < call || calls[call - 1].find("sync /blobs/") == std::string::npos) return;
    const std::string what = calls[call - 1].substr(calls[call - 1].find(' '));
    const bool again = std::any_of(calls.begin() + fault_.call, calls.end(),
                                   [&](const auto& line) { return line.ends_with(what); });
    EXPECT_TRUE(again) << "acknowledged after a sync that failed:" << what;
  }

  const Fault fault_;
  const std::vector<std::string> prefix_;
  Coordinator coordinator_;
  ScriptedSweep script_;
  std::vector<std::vector<std::string>> lives_;
};

// What nobody disturbed: made once.
struct Undisturbed {
  std::vector<std::string> stored;              // after each call of the script
  std::vector<std::vector<std::string>> lives;  // what each life did to the directory
};

const Undisturbed& UndisturbedScript() {
  static const Undisturbed& undisturbed = *[] {
    Execution execution({});
    auto* made = new Undisturbed;
    made->stored = execution.RunUndisturbed();
    made->lives = execution.lives();
    return made;
  }();
  return undisturbed;
}

// Every call of both lives whose line contains `what`.
std::vector<Fault> PointsOf(const std::string& kind, const std::string& what) {
  std::vector<Fault> points;
  const auto& lives = UndisturbedScript().lives;
  for (std::size_t life = 0; life < lives.size(); ++life) {
    for (std::size_t call = 0; call < lives[life].size(); ++call) {
      if (lives[life][call].find(what) == std::string::npos) continue;
      points.push_back({static_cast<int>(life) + 1, static_cast<int>(call) + 1, kind});
    }
  }
  return points;
}

void FailAtEach(const std::string& kind, const std::string& what) {
  const std::vector<std::string>& stored = UndisturbedScript().stored;
  ASSERT_EQ(UndisturbedScript().lives.size(), 2u);
  const std::vector<Fault> points = PointsOf(kind, what);
  ASSERT_GE(points.size(), 4u);
  const std::size_t cap = Ends(kind) ? kDeathsOfATest : kErrorsOfATest;
  const bool all = std::getenv("ETUDE_SOAK") != nullptr;
  const std::size_t tried = all ? points.size() : std::min(points.size(), cap);
  for (std::size_t i = 0; i < tried && !testing::Test::HasFailure(); ++i) {
    const Fault& fault = points[i * points.size() / tried];
    const auto& calls = UndisturbedScript().lives[static_cast<std::size_t>(fault.life) - 1];
    SCOPED_TRACE(TextOf(fault) + ": " + calls[static_cast<std::size_t>(fault.call) - 1]);
    Execution(fault).Run(stored);
  }
  std::printf("%s: %zu of %zu points\n", kind.c_str(), tried, points.size());
}

// What strace calls them, and what disk_faults does. It shows no new file apart from an old one.
constexpr std::pair<const char*, const char*> kNames[] = {
    {"write", "write"},        {"writev", "write"},      {"pwrite64", "write"},
    {"pwritev", "write"},      {"pwritev2", "write"},    {"fallocate", "write"},
    {"sendfile", "write"},     {"fsync", "fsync"},       {"fdatasync", "fdatasync"},
    {"ftruncate", "truncate"}, {"truncate", "truncate"}, {"rename", "rename"},
    {"renameat", "rename"},    {"renameat2", "rename"},  {"link", "rename"},
    {"linkat", "rename"},      {"unlink", "unlink"},     {"unlinkat", "unlink"},
    {"mkdir", "mkdir"},        {"mkdirat", "mkdir"},     {"copy_file_range", "write"}};

std::map<std::string, int> CountedByStrace(const std::string& trace, const std::string& state) {
  std::map<std::string, int> counts;
  for (const std::string& line : LinesOf(trace)) {
    if (line.find(state) == std::string::npos || line.find("= -1 E") != std::string::npos) continue;
    for (const auto& [name, counted_as] : kNames) {
      if (line.find(std::string(" ") + name + "(") != std::string::npos) ++counts[counted_as];
    }
  }
  return counts;
}

TEST(CrashPointsTest, NoCallThatStraceSeesIsMissed) {
  const std::string trace = NewDirectory("trace") + "/trace";
  if (RunCommand({"strace", "-o", trace, "true"}).status != 0) {
    GTEST_SKIP() << "NOT TESTED: ptrace is missing, or strace (type: deploy/setup); the tests of "
                    "this file hold for those calls only that tests/support/disk_faults.cc counts";
  }
  std::string names;
  for (const auto& [name, counted_as] : kNames) names += std::string(name) + ",";
  names.pop_back();
  Execution execution({},
                      {"strace", "-f", "-y", "-s", "0", "-A", "-o", trace, "-e", "trace=" + names});
  EXPECT_EQ(execution.RunUndisturbed(), UndisturbedScript().stored);
  std::map<std::string, int> counted;
  for (const auto& life : execution.lives()) {
    for (const std::string& call : life) {
      const std::size_t name = call.find(' ') + 1;
      ++counted[call.substr(name, call.find(' ', name) - name)];
    }
  }
  counted.erase("create");
  EXPECT_EQ(counted, CountedByStrace(trace, execution.state()));
}

TEST(CrashPointsTest, AKillAtAnyCallLosesNothingAcknowledged) { FailAtEach("kill", ""); }

TEST(CrashPointsTest, NorDoesOneInTheMiddleOfAWrite) { FailAtEach("tear", " write "); }

TEST(CrashPointsTest, NorDoesAPowerCutThatLosesWhatWasNotSynced) { FailAtEach("cut", ""); }

TEST(CrashPointsTest, ASyncThatFailsIsNotAcknowledged) { FailAtEach("EIO", "sync "); }

TEST(CrashPointsTest, NeitherIsAnyOtherCallThatFails) { FailAtEach("EIO", " "); }

TEST(CrashPointsTest, NorAWriteToAFullDisk) { FailAtEach("ENOSPC", " write "); }

}  // namespace
}  // namespace etude
