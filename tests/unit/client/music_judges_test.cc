#include "client/music_judges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "lib/base/status.h"

namespace etude {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::vector<std::string> kTunes = {
    "M:4/4\nL:1/8\nK:C\nCDEF GABc|]\n",
    "X:1\nM:4/4\nL:1/8\nK:C\nCD#EF GABc|]\n",
    "M:4/4\nL:1/8\nK:C\nCDEF|CDEF GABc|CDE|GABcdefg|]\n",
};

std::optional<std::string> FromProcess(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

// Where the tests' programs lie, beside which deploy/setup puts abcjs.
std::string ProgramDir() { return FromProcess("ETUDE_BIN").value_or("build/bin"); }

bool IsMissing(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kNotFound) return false;
  std::cout << "NOT TESTED: " << MessageOf(status) << "\n";
  return true;
}

TEST(MusicJudgesTest, Abc2midiTellsErrorsFromBarLengths) {
  const auto judged = JudgeByAbc2midi(kTunes, FromProcess);
  if (IsMissing(judged.status())) GTEST_SKIP();
  ASSERT_TRUE(judged.ok()) << MessageOf(judged.status());
  EXPECT_THAT(judged->at(0).first_complaint, IsEmpty());
  EXPECT_THAT(judged->at(0).first_bar_complaint, IsEmpty());
  EXPECT_THAT(judged->at(1).first_complaint, HasSubstr("Unrecognized character: #"));
  EXPECT_THAT(judged->at(2).first_complaint, IsEmpty());
  EXPECT_THAT(judged->at(2).first_bar_complaint, HasSubstr("Bar 2 has 3/2 time units"));
}

TEST(MusicJudgesTest, AbcjsSaysWhatItIgnored) {
  const auto judged = JudgeByAbcjs(kTunes, FromProcess, ProgramDir());
  if (IsMissing(judged.status())) GTEST_SKIP();
  ASSERT_TRUE(judged.ok()) << MessageOf(judged.status());
  EXPECT_EQ(judged->at(0).complaints, 0);
  EXPECT_EQ(judged->at(1).complaints, 1);
  EXPECT_THAT(judged->at(1).first_complaint, HasSubstr("Unknown character ignored:  CD#EF GABc|]"));
}

TEST(MusicJudgesTest, WithoutAbcjsItSaysHowToGetIt) {
  const auto nothing = [](const std::string&) { return std::optional<std::string>(); };
  const auto judged = JudgeByAbcjs(kTunes, nothing, "/nowhere/bin");
  if (judged.ok()) GTEST_SKIP() << "abcjs is installed for the whole system";
  EXPECT_EQ(judged.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(MessageOf(judged.status()), HasSubstr("ETUDE_ABCJS"));
}

}  // namespace
}  // namespace etude
