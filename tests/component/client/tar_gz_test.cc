#include "client/tar_gz.h"

#include <gtest/gtest.h>

#include "tests/component/client/tar_fixture.h"

namespace etude {
namespace {

class TarGzTest : public FetchTest {
 protected:
  absl::StatusOr<TarReport> Unpack(const std::string& packed, const TarLimits& limits = {}) {
    Write("archive", packed);
    std::filesystem::create_directories(root_ / "out");
    return UnpackTarGz(
        Path("archive"), Path("out"), [](const std::string& p) { return p.ends_with(".mid"); },
        limits);
  }
};

TEST_F(TarGzTest, WantedFilesAreWritten) {
  const auto report =
      Unpack(Gzip(TarEntry("lmd/", "", '5') + TarEntry("./lmd/A/x.mid", "music") +
                  TarEntry("lmd/readme.txt", "text") + TarEntry("lmd/empty.mid", "") + TarEnd()));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->files, 2);
  EXPECT_EQ(report->bytes, 5);
  EXPECT_EQ(report->skipped, 1);
  EXPECT_EQ(Read("out/lmd/A/x.mid"), "music");
  EXPECT_FALSE(FileExists(Path("out/lmd/readme.txt")));
}

TEST_F(TarGzTest, NoPathLeavesTheDirectory) {
  for (const std::string path : {"../x.mid", "a/../../x.mid", "/tmp/x.mid", "a\nb.mid"}) {
    EXPECT_TRUE(absl::IsDataLoss(Unpack(Gzip(TarEntry(path, "m") + TarEnd())).status())) << path;
  }
  EXPECT_FALSE(FileExists(Path("x.mid")));
}

TEST_F(TarGzTest, LinksAreNeitherMadeNorFollowed) {
  std::string link = TarEntry("a", "", '2');
  const auto report = Unpack(Gzip(link + TarEntry("a/x.mid", "m") + TarEnd()));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(std::filesystem::is_directory(root_ / "out/a"));
}

TEST_F(TarGzTest, LongNamesOfGnuTarAreRead) {
  const std::string name = std::string(150, 'd') + "/x.mid";
  const auto report =
      Unpack(Gzip(TarEntry("././@LongLink", name, 'L') + TarEntry("cut.mid", "music") + TarEnd()));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(Read("out/" + name), "music");
}

TEST_F(TarGzTest, WhatIsNotWholeIsRefused) {
  const std::string packed = Gzip(TarEntry("x.mid", std::string(5000, 'm')) + TarEnd());
  EXPECT_TRUE(absl::IsDataLoss(Unpack(packed.substr(0, packed.size() / 2)).status()));
  EXPECT_TRUE(absl::IsDataLoss(Unpack("").status()));
  EXPECT_TRUE(absl::IsDataLoss(Unpack(TarEntry("y.mid", "m") + TarEnd()).status()));
  EXPECT_TRUE(absl::IsDataLoss(Unpack(Gzip(std::string(2048, 'x'))).status()));
}

TEST_F(TarGzTest, LimitsHold) {
  const std::string packed =
      Gzip(TarEntry("x.mid", "12345678") + TarEntry("y.mid", "12345678") + TarEnd());
  EXPECT_TRUE(absl::IsResourceExhausted(Unpack(packed, {.entries = 1}).status()));
  EXPECT_TRUE(absl::IsResourceExhausted(Unpack(packed, {.file_bytes = 7}).status()));
  std::filesystem::remove_all(root_ / "out");
  EXPECT_TRUE(absl::IsResourceExhausted(Unpack(packed, {.total_bytes = 15}).status()));
}

}  // namespace
}  // namespace etude
