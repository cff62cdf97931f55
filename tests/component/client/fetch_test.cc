#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "client/corpus_fetch.h"
#include "client/game_midi_fetch.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "tests/component/client/tar_fixture.h"
#include "tests/support/http_file_server.h"

namespace etude {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class LakhFetchTest : public FetchTest {
 protected:
  FetchRequest Request() {
    return {.source = "lakh-matched", .dir = Path("midi"), .say = [this](const std::string& line) {
              said_ += line + "\n";
            }};
  }
  // A small archive that stands for the large one; its content is that of the MD5 below.
  static std::string Packed() {
    std::string noise;
    for (unsigned i = 0, dice = 1; i < 20'000; ++i, dice = dice * 1664525 + 1013904223) {
      noise += static_cast<char>(dice >> 24);
    }
    return Gzip(TarEntry("lmd_matched/A/one.mid", noise) + TarEntry("lmd_matched/B/two.mid", "2") +
                TarEnd());
  }
  static LakhArchive ArchiveOf(const std::string& packed, const std::string& md5) {
    return {.source = "lakh-matched",
            .url = "http://127.0.0.1:1/nowhere",
            .bytes = static_cast<std::int64_t>(packed.size()),
            .md5 = md5,
            .sha256 = Sha256Hex(packed)};
  }
  // md5sum's answer.
  std::string Md5(const std::string& packed) {
    Write("sum_me", packed);
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(
        popen(("md5sum " + Path("sum_me")).c_str(), "r"), pclose);
    char digest[33] = {};
    EXPECT_EQ(std::fread(digest, 1, 32, pipe.get()), 32u);
    return digest;
  }

  std::string said_;
};

TEST_F(LakhFetchTest, GoesOnWhereItWasCutOff) {
  const std::string packed = Packed();
  const LakhArchive archive = ArchiveOf(packed, Md5(packed));
  const HttpFileServer server(packed, {.cuts = {1000, 5000}});
  const auto cut = FetchLakh(archive, {.url = server.url()}, Request());
  EXPECT_TRUE(absl::IsUnavailable(cut.status())) << cut.status();
  EXPECT_THAT(MessageOf(cut.status()), HasSubstr("go on with: etude corpus fetch lakh-matched"));
  EXPECT_EQ(std::filesystem::file_size(Path("midi.tar.gz.part")), 1000u);
  EXPECT_FALSE(FileExists(Path("midi")));
  EXPECT_FALSE(FetchLakh(archive, {.url = server.url()}, Request()).ok());
  const auto report = FetchLakh(archive, {.url = server.url()}, Request());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->files, 2);
  EXPECT_THAT(server.requests(), SizeIs(3));
  EXPECT_THAT(server.requests()[1], HasSubstr("Range: bytes=1000-"));
  EXPECT_THAT(server.requests()[2], HasSubstr("Range: bytes=6000-"));
  EXPECT_EQ(Read("midi/lmd_matched/B/two.mid"), "2");
  EXPECT_FALSE(FileExists(Path("midi.tar.gz.part")));
}

TEST_F(LakhFetchTest, BeginsAgainWhereTheServerKnowsNoRanges) {
  const std::string packed = Packed();
  const HttpFileServer server(packed, {.cuts = {1000}, .knows_ranges = false});
  const LakhArchive archive = ArchiveOf(packed, Md5(packed));
  EXPECT_FALSE(FetchLakh(archive, {.url = server.url()}, Request()).ok());
  const auto report = FetchLakh(archive, {.url = server.url()}, Request());
  EXPECT_TRUE(report.ok()) << report.status();
}

TEST_F(LakhFetchTest, AnotherArchiveIsRefusedAndRemoved) {
  const std::string packed = Packed();
  const HttpFileServer server(packed, {});
  LakhArchive archive = ArchiveOf(packed, Md5(packed));
  for (std::string* sum : {&archive.md5, &archive.sha256}) {
    const std::string right = std::exchange(*sum, std::string(sum->size(), '0'));
    const auto report = FetchLakh(archive, {.url = server.url()}, Request());
    EXPECT_TRUE(absl::IsDataLoss(report.status())) << report.status();
    EXPECT_FALSE(FileExists(Path("midi.tar.gz.part")));
    EXPECT_FALSE(FileExists(Path("midi")));
    *sum = right;
  }
}

TEST_F(LakhFetchTest, AFileThatIsThereIsUnpackedAndStays) {
  const std::string packed = Packed();
  Write("lmd.tar.gz", packed);
  const LakhArchive archive = ArchiveOf(packed, Md5(packed));
  const auto report = FetchLakh(archive, {.from = Path("lmd.tar.gz")}, Request());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->bytes, 20'001);
  EXPECT_TRUE(FileExists(Path("lmd.tar.gz")));
  const auto source = nlohmann::json::parse(Read("midi/SOURCE.json"));
  EXPECT_EQ(source["archive_sha256"], archive.sha256);
  EXPECT_EQ(source["unlisted_files"], 2);
  const auto again = CheckFetched(Request(), "");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE((*again)->already_complete);
}

TEST_F(LakhFetchTest, TheCommandLineCannotTurnTheSumsOff) {
  Write("lmd.tar.gz", Packed());
  const auto report = FetchCorpus("lakh-full", Path("midi"), {.from = Path("lmd.tar.gz")},
                                  [](const std::string&) {});
  EXPECT_TRUE(absl::IsDataLoss(report.status())) << report.status();
  EXPECT_THAT(MessageOf(report.status()), HasSubstr("expected were 1768163879 bytes"));
}

TEST_F(LakhFetchTest, OptionsAreChecked) {
  const auto fetch = [&](const std::string& source, const LakhOptions& options) {
    return FetchCorpus(source, Path("midi"), options, [](const std::string&) {}).status();
  };
  EXPECT_TRUE(absl::IsInvalidArgument(fetch("lakh-full", {.url = "file:///etc/passwd"})));
  EXPECT_TRUE(absl::IsInvalidArgument(fetch("lakh-full", {.url = "http://x/", .from = "y"})));
  EXPECT_TRUE(absl::IsInvalidArgument(fetch("folk", {.url = "http://x/"})));
  EXPECT_TRUE(absl::IsInvalidArgument(fetch("polka", {})));
  EXPECT_TRUE(absl::IsNotFound(fetch("lakh-full", {.from = Path("nothing")})));
}

// apt-get and dpkg-deb as scripts, before the real ones in PATH: an "archive" is the name of a
// tree.
class GameMidiFetchTest : public FetchTest {
 protected:
  void SetUp() override {
    FetchTest::SetUp();
    Write("bin/apt-get", "#!/bin/sh\nshift 2\nfor p; do echo $p > ${p}_1.deb; done\n", 0755);
    Write("bin/dpkg-deb", "#!/bin/sh\ncp -r " + Path("trees") + "/$(cat $2) $3\n", 0755);
    const std::string games = "/usr/share/games/";
    Write("trees/freedoom" + games + "doom/freedoom1.wad", Wad());
    Write("trees/openttd-openmsx" + games + "openmsx/a song!.mid", "MThd a");
    Write("trees/openttd-openmsx" + games + "openmsx/twin.mid", "MThd a");
    Write("trees/pianobooster" + games + "music/b.MID", "MThd b");
    Write("trees/pianobooster/usr/share/doc/pianobooster/old.mid", "MThd old");
    Write("trees/planetblupi-music-midi/usr/share/planetblupi/c.mid", "MThd c");
    path_ = std::getenv("PATH");
    setenv("PATH", (Path("bin") + ":" + path_).c_str(), 1);
  }
  void TearDown() override {
    setenv("PATH", path_.c_str(), 1);
    FetchTest::TearDown();
  }
  // Two lumps, one of which is music.
  static std::string Wad() {
    const auto little = [](int n) { return std::string{static_cast<char>(n), 0, 0, 0}; };
    std::string name = "D_E1M1";
    name.resize(8);
    return "IWAD" + little(2) + little(12 + 9) + "abcMThd d" + little(12) + little(3) +
           std::string("PLAYPAL\0", 8) + little(15) + little(6) + name;
  }
  FetchRequest Request() {
    return {.source = "game-midi", .dir = Path("midi"), .say = [this](const std::string& line) {
              said_ += line + "\n";
            }};
  }

  std::string path_;
  std::string said_;
};

TEST_F(GameMidiFetchTest, EachFileOnceByPackage) {
  const auto report = FetchGameMidi(Request());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->files, 4);
  EXPECT_THAT(said_, HasSubstr("apt-get download --quiet freedoom"));
  EXPECT_EQ(Read("midi/freedoom/freedoom1-D_E1M1.mid"), "MThd d");
  EXPECT_EQ(Read("midi/openttd-openmsx/a_song_.mid"), "MThd a");
  EXPECT_EQ(Read("midi/pianobooster/b.mid"), "MThd b");
  const auto source = nlohmann::json::parse(Read("midi/SOURCE.json"));
  EXPECT_EQ(source["files"].size(), 4u);
  EXPECT_EQ(source["licence_notes"].size(), 4u);
}

TEST_F(GameMidiFetchTest, WhatIsThereIsChecked) {
  ASSERT_TRUE(FetchGameMidi(Request()).ok());
  const auto there = CheckFetched(Request(), "");
  ASSERT_TRUE(there.ok()) << there.status();
  EXPECT_EQ((*there)->files, 4);
  Write("midi/pianobooster/b.mid", "MThd changed");
  EXPECT_TRUE(absl::IsDataLoss(CheckFetched(Request(), "").status()));
}

TEST_F(GameMidiFetchTest, AFailureLeavesNothing) {
  Write("bin/apt-get", "#!/bin/sh\necho 'E: no such package' >&2\nexit 100\n", 0755);
  const auto report = FetchGameMidi(Request());
  EXPECT_TRUE(absl::IsUnavailable(report.status()));
  EXPECT_THAT(MessageOf(report.status()), HasSubstr("sudo apt-get update"));
  EXPECT_FALSE(FileExists(Path("midi")));
  Write("trees/freedoom/usr/share/games/doom/freedoom1.wad", "IWAD");
  Write("bin/apt-get", "#!/bin/sh\nshift 2\nfor p; do echo $p > ${p}_1.deb; done\n", 0755);
  EXPECT_TRUE(absl::IsDataLoss(FetchGameMidi(Request()).status()));
  EXPECT_FALSE(FileExists(Path("midi")));
}

}  // namespace
}  // namespace etude
