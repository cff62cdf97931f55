// The fences of the house, read off the sources: who may include what, and what no file may say.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace etude {
namespace {

namespace fs = std::filesystem;

// What each room's sources may include of the others; base is everybody's.
const std::map<std::string, std::set<std::string>>& Arrows() {
  static const auto& arrows = *new std::map<std::string, std::set<std::string>>{
      {"lib/base", {}},
      {"lib/scaling", {}},
      {"lib/music", {"lib/scaling"}},
      {"lib/models", {"lib/music", "lib/scaling"}},
      {"storage", {"lib/scaling"}},
      {"proto", {"lib/scaling"}},
      {"coordinator", {"storage", "lib/scaling", "proto"}},
      {"worker", {"lib/scaling", "proto"}},
      {"client", {"lib/music", "lib/scaling", "proto"}},
  };
  return arrows;
}

std::string RoomOf(const std::string& path) {
  for (const auto& [room, arrows] : Arrows()) {
    if (path.rfind(room + "/", 0) == 0) return room;
  }
  return "";
}

bool EndsWith(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

std::string StemOf(const std::string& path) { return fs::path(path).stem().string(); }

bool MayUseGrpc(const std::string& path) {
  const std::string stem = StemOf(path);
  return RoomOf(path) == "proto" || EndsWith(stem, "_service") || EndsWith(stem, "_client") ||
         EndsWith(stem, "_main") || path.rfind("tests/", 0) == 0;
}

// What is wrong with a line of the file at `path`; empty if nothing is.
std::string BreachOf(const std::string& path, const std::string& line) {
  static const std::regex kInclude(R"(^\s*#\s*include\s*[<"]([^>"]+)[>"])");
  std::smatch match;
  const bool test = path.rfind("tests/", 0) == 0;
  if (std::regex_search(line, match, kInclude)) {
    const std::string header = match[1];
    const std::string room = RoomOf(path);
    const std::string target = RoomOf(header);
    if (!room.empty() && !target.empty() && target != room && target != "lib/base" &&
        Arrows().at(room).count(target) == 0 &&
        !(path == "worker/trainer_main.cc" && target == "lib/models")) {
      return room + " must not include " + target;
    }
    const bool torch = std::regex_search(header, std::regex("^(torch|ATen|c10)/"));
    if (torch && room != "lib/models" && path.rfind("tests/unit/models/", 0) != 0) {
      return "torch belongs to lib/models and its tests";
    }
    if (torch && (path == "lib/models/trainer.h" || path == "lib/models/sampler.h")) {
      return "the doors into lib/models include no torch";
    }
    if (header == "sqlite3.h" && path.rfind("storage/sqlite", 0) != 0) {
      return "sqlite3.h belongs to storage/sqlite*";
    }
    if (header.rfind("boost/", 0) == 0 && !EndsWith(StemOf(path), "_server")) {
      return "Boost belongs to what serves HTTP, *_server.cc";
    }
    if ((header.rfind("grpcpp/", 0) == 0 || EndsWith(header, ".pb.h")) && !MayUseGrpc(path)) {
      return "gRPC and protobuf belong to proto/, *_service, *_client and *_main";
    }
    if (room == "lib/models" && (header.rfind("fmt/", 0) == 0 || header == "lib/base/log.h")) {
      return "lib/models uses neither fmt nor our log";
    }
  }
  static const std::regex kSleep(
      R"(\b(sleep_for|sleep_until|usleep|nanosleep|SleepFor\(absl|sleep\())");
  const bool fake_clock = line.find(") override") != std::string::npos;
  if (std::regex_search(line, kSleep) && path.rfind("lib/base/clock", 0) != 0 && !fake_clock) {
    if (test || line.find("SleepFor") == std::string::npos) return "no sleeping here";
  }
  static const std::regex kNow(
      R"(absl::Now\(|_clock::now\(|\btime\(nullptr\)|gettimeofday|clock_gettime)");
  if (std::regex_search(line, kNow) && path.rfind("lib/base/clock", 0) != 0 && !MayUseGrpc(path)) {
    return "only lib/base/clock asks the system for the time";
  }
  static const std::regex kShell(R"(\b(std::)?system\(|\bpopen\()");
  if (!test && std::regex_search(line, kShell)) return "no shell is ever started";
  return "";
}

struct SourceFile {
  std::string path;  // from the root
  std::string text;
};

std::vector<SourceFile> Sources() {
  std::vector<SourceFile> files;
  for (const char* top : {"lib", "storage", "proto", "coordinator", "worker", "client", "tests"}) {
    for (const auto& entry : fs::recursive_directory_iterator(top)) {
      const std::string extension = entry.path().extension().string();
      if (!entry.is_regular_file() || (extension != ".cc" && extension != ".h")) continue;
      std::stringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      files.push_back({entry.path().generic_string(), text.str()});
    }
  }
  return files;
}

TEST(TidyTest, NoFileBreaksAFence) {
  const std::vector<SourceFile> files = Sources();
  ASSERT_GT(files.size(), 50u) << "run from the root of the project";
  for (const SourceFile& file : files) {
    if (EndsWith(file.path, "tidy_test.cc")) continue;
    std::istringstream lines(file.text);
    std::string line;
    for (int number = 1; std::getline(lines, line); ++number) {
      const std::string breach = BreachOf(file.path, line);
      EXPECT_EQ(breach, "") << file.path << ":" << number << ": " << line;
    }
  }
}

TEST(TidyTest, EveryHeaderHasItsOwnGuard) {
  for (const SourceFile& file : Sources()) {
    if (!EndsWith(file.path, ".h")) continue;
    std::string guard = "ETUDE_" + file.path + "_";
    for (char& c : guard)
      c = std::isalnum(static_cast<unsigned char>(c)) ? static_cast<char>(std::toupper(c)) : '_';
    EXPECT_NE(file.text.find("#ifndef " + guard + "\n#define " + guard), std::string::npos)
        << file.path << ": expected the guard " << guard;
  }
}

TEST(TidyTest, NoFolderForLeftovers) {
  static const std::set<std::string> kRefused = {"utils", "util", "common", "helpers", "misc"};
  for (const SourceFile& file : Sources()) {
    for (const fs::path& part : fs::path(file.path)) {
      EXPECT_EQ(kRefused.count(part.stem().string()), 0u) << file.path;
    }
  }
}

TEST(TidyTest, CMakeListsNameTheirFiles) {
  for (const auto& entry : fs::recursive_directory_iterator(".")) {
    const std::string path = entry.path().generic_string();
    if (path.rfind("./build", 0) == 0 || path.rfind("./.", 0) == 0) continue;
    if (entry.path().filename() != "CMakeLists.txt") continue;
    std::stringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    EXPECT_EQ(text.str().find("GLOB"), std::string::npos) << path;
    EXPECT_EQ(text.str().find("include_directories("),
              text.str().find("target_include_directories(") == std::string::npos
                  ? std::string::npos
                  : text.str().find("target_include_directories(") + 7)
        << path << ": no global include paths";
  }
}

struct Planted {
  const char* path;
  const char* line;
};

class PlantedBreachTest : public testing::TestWithParam<Planted> {};

TEST_P(PlantedBreachTest, IsFound) { EXPECT_NE(BreachOf(GetParam().path, GetParam().line), ""); }

INSTANTIATE_TEST_SUITE_P(
    All, PlantedBreachTest,
    testing::Values(Planted{"coordinator/core.cc", "#include \"worker/agent.h\""},
                    Planted{"client/plan.cc", "#include \"storage/change.h\""},
                    Planted{"lib/scaling/plan.cc", "#include \"lib/music/npy.h\""},
                    Planted{"worker/agent.cc", "#include <torch/torch.h>"},
                    Planted{"lib/models/trainer.h", "#include <ATen/ATen.h>"},
                    Planted{"coordinator/core.cc", "#include <sqlite3.h>"},
                    Planted{"coordinator/core.cc", "#include <grpcpp/server.h>"},
                    Planted{"coordinator/core.cc", "#include <boost/asio.hpp>"},
                    Planted{"worker/agent.h", "#include \"etude/v1/worker.pb.h\""},
                    Planted{"lib/models/trainer.cc", "#include <fmt/format.h>"},
                    Planted{"tests/unit/worker/agent_test.cc", "std::this_thread::sleep_for(1s);"},
                    Planted{"worker/agent.cc", "const auto now = absl::Now();"},
                    Planted{"client/up.cc", "std::system(\"ls\");"}));

TEST(TidyTest, AnAllowedArrowIsNoBreach) {
  EXPECT_EQ(BreachOf("coordinator/core.cc", "#include \"storage/change.h\""), "");
  EXPECT_EQ(BreachOf("worker/trainer_main.cc", "#include \"lib/models/trainer.h\""), "");
  EXPECT_EQ(BreachOf("worker/coordinator_client.cc", "#include <grpcpp/channel.h>"), "");
}

}  // namespace
}  // namespace etude
