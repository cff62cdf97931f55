#include "client/corpus_convert.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "client/temporary_directory.h"
#include "lib/base/file.h"
#include "lib/music/midi_writer.h"
#include "tests/unit/client/builders.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

std::string Midi(int pitch) {
  Score score;
  score.ticks_per_quarter = 480;
  score.voices.push_back({.name = "0f1e2d3c4b5a69788796a5b4c3d2e1f0", .notes = {}});
  for (int i = 0; i < 16; ++i) {
    score.voices[0].notes.push_back({.onset = i * 240, .duration = 240, .pitch = pitch + i % 5});
  }
  Normalize(score);
  return WriteMidi(score);
}

class CorpusConvertTest : public testing::Test {
 protected:
  CorpusConvertTest() : dir_(*TemporaryDirectory::Make(MakeEnvironment({}))) {
    Put("a/one.mid", Midi(60));
    Put("a/same.mid", Midi(60));
    Put("b/two.KAR", Midi(62));
    Put("b/no_name", Midi(64));
    Put("b/notes.txt", "MIDI files lie here");
    Put("b/broken.mid", "this is no music");
    Put("b/cut.mid", Midi(67).substr(0, 90));
  }

  std::string Src() const { return dir_->path() + "/src"; }
  std::string Dst() const { return dir_->path() + "/dst"; }
  std::string Manifest() const { return Dst() + "/" + kConvertManifestName; }

  void Put(const std::string& name, const std::string& bytes) const {
    fs::create_directories(fs::path(Src() + "/" + name).parent_path());
    std::ofstream(Src() + "/" + name, std::ios::binary) << bytes;
  }

  // Stops before the file after `most`.
  absl::StatusOr<CorpusConvertCounts> Convert(int jobs = 1, int most = 1000) {
    std::atomic<int> begun = 0;
    const CorpusConvertOptions options{.src = Src(), .dst = Dst(), .jobs = jobs, .convert = {}};
    return ConvertCorpus(options, clock_,
                         {.stopped = [&] { return begun.fetch_add(1) >= most; },
                          .on_progress = [](const CorpusConvertCounts&) {}});
  }

  std::string ConvertedFile(const std::string& name) const {
    return ReadFile(Dst() + "/" + name).value_or("(none)");
  }

  std::unique_ptr<TemporaryDirectory> dir_;
  FakeClock clock_;
};

TEST_F(CorpusConvertTest, EveryFileGetsALineAndEveryTuneAText) {
  const auto counts = Convert();
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_EQ(counts->files, 6);
  EXPECT_EQ(counts->With(ConvertStatus::kConverted), 3);
  EXPECT_EQ(counts->With(ConvertStatus::kSalvaged), 1);
  EXPECT_EQ(counts->With(ConvertStatus::kDuplicate), 1);
  EXPECT_EQ(counts->With(ConvertStatus::kFailed), 1);
  const auto manifest = *ReadConvertManifest(Manifest());
  EXPECT_EQ(manifest.at("a/one.mid").f1, 1);
  EXPECT_EQ(manifest.at("a/same.mid").duplicate_of, "a/one.mid");
  EXPECT_EQ(manifest.at("b/broken.mid").reason, "not_midi");
  EXPECT_EQ(manifest.at("b/cut.mid").reason, "truncated");
  EXPECT_TRUE(fs::exists(Dst() + "/b/two.KAR.abc"));
  EXPECT_FALSE(fs::exists(Dst() + "/a/same.mid.abc"));
}

TEST_F(CorpusConvertTest, NamesOfTheFileStayOutOfTheText) {
  ASSERT_TRUE(Convert().ok());
  const std::string text = ConvertedFile("a/one.mid.abc");
  EXPECT_EQ(text.substr(0, 9), "X:1\nM:4/4");
  EXPECT_EQ(text.find("0f1e2d3c"), std::string::npos);
  EXPECT_EQ(text.find("one"), std::string::npos);
}

TEST_F(CorpusConvertTest, ManyJobsGiveWhatOneGives) {
  ASSERT_TRUE(Convert(1).ok());
  const std::string alone = *ReadFile(Manifest());
  fs::remove_all(Dst());
  ASSERT_TRUE(Convert(4).ok());
  EXPECT_EQ(*ReadFile(Manifest()), alone);
}

TEST_F(CorpusConvertTest, WhatIsFinishedIsNotDoneAgain) {
  ASSERT_TRUE(Convert().ok());
  const std::string manifest = *ReadFile(Manifest());
  const auto again = Convert();
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->reused, 6);
  EXPECT_EQ(*ReadFile(Manifest()), manifest);
}

TEST_F(CorpusConvertTest, AStoppedConversionGoesOn) {
  ASSERT_TRUE(Convert().ok());
  const std::string whole = *ReadFile(Manifest());
  fs::remove_all(Dst());
  EXPECT_TRUE(absl::IsCancelled(Convert(1, 2).status()));
  const auto rest = Convert();
  ASSERT_TRUE(rest.ok());
  EXPECT_EQ(rest->reused, 2);
  EXPECT_EQ(*ReadFile(Manifest()), whole);
}

TEST_F(CorpusConvertTest, ATornLineIsDroppedAndItsFileDoneAgain) {
  ASSERT_TRUE(Convert().ok());
  const std::string whole = *ReadFile(Manifest());
  std::ofstream(Manifest(), std::ios::binary) << whole.substr(0, whole.size() - 20);
  const auto again = Convert();
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->reused, 5);
  EXPECT_EQ(*ReadFile(Manifest()), whole);
}

TEST_F(CorpusConvertTest, AChangedFileOrALostTextIsDoneAgain) {
  ASSERT_TRUE(Convert().ok());
  Put("b/two.KAR", Midi(70));
  fs::remove(Dst() + "/b/no_name.abc");
  const auto again = Convert();
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->reused, 4);
  EXPECT_TRUE(fs::exists(Dst() + "/b/no_name.abc"));
}

TEST_F(CorpusConvertTest, AnotherGridMakesAllAnew) {
  ASSERT_TRUE(Convert().ok());
  const CorpusConvertOptions options{
      .src = Src(), .dst = Dst(), .jobs = 1, .convert = {.grid = 12, .layout = AbcLayout::kBars}};
  const auto counts = ConvertCorpus(options, clock_, {[] { return false; }, [](const auto&) {}});
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ(counts->reused, 0);
  EXPECT_NE(ConvertedFile("a/one.mid.abc").find("[V:1]"), std::string::npos);
}

TEST_F(CorpusConvertTest, WithoutMusicThereIsNothingToDo) {
  fs::remove_all(Src());
  EXPECT_TRUE(absl::IsNotFound(Convert().status()));
  fs::create_directories(Src());
  EXPECT_TRUE(absl::IsNotFound(Convert().status()));
}

TEST_F(CorpusConvertTest, TheCommandSaysWhatBecameOfTheFiles) {
  const Printed printed = Etude({"corpus", "convert", Src(), Dst(), "-o", "json"});
  EXPECT_EQ(printed.code, ExitCode::kOk) << printed.err;
  EXPECT_NE(printed.out.find("\"duplicates\": 1"), std::string::npos) << printed.out;
  EXPECT_NE(printed.out.find("\"reason\": \"not_midi\""), std::string::npos) << printed.out;
  EXPECT_EQ(Etude({"corpus", "convert", Src(), Dst(), "--grid", "5"}).code, ExitCode::kUsage);
  EXPECT_EQ(Etude({"corpus", "convert", Src() + "x", Dst()}).code, ExitCode::kNotFound);
}

}  // namespace
}  // namespace etude
