// Runs every script of this folder; a failure names its file and line.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/scenarios/scenario.h"

namespace etude {
namespace {

constexpr char kFolder[] = "tests/scenarios";

std::vector<std::string> Scripts() {
  std::vector<std::string> scripts;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".txt" && entry.path().stem() != "CMakeLists") {
      scripts.push_back(entry.path().stem());
    }
  }
  std::sort(scripts.begin(), scripts.end());
  return scripts;
}

class ScenariosTest : public testing::TestWithParam<std::string> {};

TEST_P(ScenariosTest, EveryAnswerIsAsWritten) {
  const std::string path = std::string(kFolder) + "/" + GetParam() + ".txt";
  std::ifstream script(path);
  ASSERT_TRUE(script.is_open()) << path;
  Scenario scenario;
  int number = 0;
  for (std::string line; std::getline(script, line);) {
    ++number;
    const std::string wrong = scenario.Check(line);
    ASSERT_EQ(wrong, "") << path << ":" << number << ": " << line;
  }
  EXPECT_GT(number, 5) << path << " says nothing";
}

INSTANTIATE_TEST_SUITE_P(All, ScenariosTest, testing::ValuesIn(Scripts()),
                         [](const auto& info) { return info.param; });

TEST(ScenarioLanguageTest, AWrongExpectationFails) {
  Scenario scenario;
  EXPECT_EQ(scenario.Check("register w1"), "");
  EXPECT_EQ(scenario.Check("acquire w1 0 -> a#1 from 0"), "answered: none: no job is queued");
  EXPECT_NE(scenario.Check("fly w1"), "");
}

}  // namespace
}  // namespace etude
