#include "client/music_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "client/command.h"
#include "client/temporary_directory.h"
#include "lib/base/file.h"
#include "tests/unit/client/builders.h"

namespace etude {
namespace {

using testing::HasSubstr;

constexpr char kThree[] =
    "% three tunes\nX:1\nT:Good\nM:4/4\nL:1/8\nK:C\nCDEF GABc|c8|\n\n"
    "X:2\nT:Odd\nM:4/4\nL:1/8\nK:C\nC8|C#7|C8|\n\nX:3\nT:Still\nK:C\nz4|\n";

TEST(MusicCheckTest, EachLevelHasItsFirstReasonWithItsPlaceInTheFile) {
  const std::vector<CheckedTune> tunes = CheckTunes("three.abc", kThree);
  ASSERT_EQ(tunes.size(), 3u);
  EXPECT_TRUE(tunes[0].lexes.holds && tunes[0].bars.holds && tunes[0].plays.holds);
  EXPECT_EQ(tunes[1].lexes.reason, "14:5: \"#\" means nothing here");
  EXPECT_THAT(tunes[1].bars.reason, testing::StartsWith("14:4: bar 2 of voice 1"));
  EXPECT_TRUE(tunes[1].plays.holds);
  EXPECT_FALSE(tunes[2].plays.holds);
  EXPECT_THAT(tunes[2].plays.reason, HasSubstr("there is no note"));
}

TEST(MusicCheckTest, TextWithoutATuneNumberIsOneTune) {
  const std::vector<CheckedTune> tunes = CheckTunes("x", "K:C\nC|");
  ASSERT_EQ(tunes.size(), 1u);
  EXPECT_TRUE(tunes[0].plays.holds);
  EXPECT_EQ(CheckTunes("x", "").at(0).lexes.reason, "1:1: no K: field starts the music");
}

class MusicCommandTest : public testing::Test {
 protected:
  std::string Path(const std::string& name) const { return directory_->path() + "/" + name; }
  std::string Write(const std::string& name, const std::string& text) const {
    EXPECT_TRUE(WriteFileAtomically(Path(name), text).ok());
    return Path(name);
  }
  std::unique_ptr<TemporaryDirectory> directory_ =
      TemporaryDirectory::Make(MakeEnvironment({})).value();
};

TEST_F(MusicCommandTest, CheckCountsWhatHolds) {
  const Printed printed = Etude({"music", "check", Write("three.abc", kThree), "-o", "json"});
  ASSERT_EQ(printed.code, ExitCode::kOk) << printed.err;
  const auto json = nlohmann::json::parse(printed.out);
  EXPECT_EQ(json["checked"], 3);
  EXPECT_EQ(json["lex"], 2);
  EXPECT_EQ(json["play"], 2);
  EXPECT_EQ(json["tunes"][1]["title"], "Odd");
}

TEST_F(MusicCommandTest, ConvertPlaysATuneIntoAMidiFile) {
  const std::string in = Write("one.abc", "X:1\nM:4/4\nL:1/8\nK:C\n|:CDEF G4:|\n");
  const Printed printed = Etude({"music", "convert", in, Path("one.mid"), "-o", "json"});
  ASSERT_EQ(printed.code, ExitCode::kOk) << printed.err;
  EXPECT_EQ(nlohmann::json::parse(printed.out)["notes"], 10);
  EXPECT_TRUE(ReadFile(Path("one.mid"))->starts_with("MThd"));
}

TEST_F(MusicCommandTest, ConvertWantsOneTuneThatPlays) {
  const std::string in = Write("three.abc", kThree);
  const Printed many = Etude({"music", "convert", in, Path("out.mid")});
  EXPECT_EQ(many.code, ExitCode::kUsage);
  EXPECT_THAT(many.err, HasSubstr("--tune 1"));
  EXPECT_EQ(Etude({"music", "convert", in, Path("out.mid"), "--tune", "9"}).code,
            ExitCode::kNotFound);
  EXPECT_THAT(Etude({"music", "convert", in, Path("out.mid"), "--tune", "3"}).err,
              HasSubstr("cannot be played"));
  EXPECT_EQ(Etude({"music", "convert", in, Path("two.mid"), "--tune", "2"}).code, ExitCode::kOk);
  EXPECT_THAT(Etude({"music", "convert", in, Path("out.wav")}).err, HasSubstr(".abc to .mid"));
}

}  // namespace
}  // namespace etude
